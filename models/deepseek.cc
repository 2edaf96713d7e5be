// SPDX-License-Identifier: Apache-2.0
// DeepSeek-V2 and V3 (R1 is a V3): latent attention; experts in all but the first layers, chosen by
// groups; experts to which all tokens go. DeepSeek-AI 2024, "DeepSeek-V2", "DeepSeek-V3 Technical
// Report".
#include <cmath>
#include <string_view>
#include <utility>

#include "fmt/format.h"
#include "models/architectures.h"
#include "models/decoder.h"
#include "models/settings.h"
#include "models/weights/quoted.h"

namespace tenon::models {
namespace {

constexpr int32_t kMostShared = 1 << 10;
constexpr int32_t kMostFfn = 1 << 24;
constexpr int32_t kMostUnused = 1 << 10;
constexpr int32_t kMostGroups = 1 << 12;
constexpr double kMostScale = 1e6;

void SetExpertLayers(DecoderSpec& spec, int32_t dense) {
  for (size_t i = 0; i < spec.layers.size(); ++i) {
    spec.layers[i].experts = i >= static_cast<size_t>(dense);
  }
}

void SetShared(Settings& in, ExpertSpec& experts, int32_t count) {
  const int64_t columns = int64_t{count} * experts.ffn;
  if (columns > kMostFfn) {
    in.Fail(fmt::format("{} shared experts of {} columns are {} columns; at most {} allowed", count,
                        experts.ffn, columns, kMostFfn));
    return;
  }
  experts.shared_ffn = static_cast<int32_t>(columns);
}

// What V3 does that V2 does not: scores of each expert alone, and a bias on the choice.
void SetSigmoid(ExpertSpec& experts) {
  experts.route.score = RouteScore::kSigmoid;
  experts.route.group_score = GroupScore::kBestTwo;
  experts.has_correction = true;
}

void SetAttention(DecoderSpec& spec) {
  const float magnitude = spec.ropes[0].score_magnitude;
  const int32_t columns = spec.latent.nope_dim + spec.latent.rope_dim;
  spec.attention_scale = magnitude * magnitude / std::sqrt(static_cast<float>(columns));
}

DecoderSpec FromGguf(Settings& in) {
  DecoderSpec spec = ReadGgufDecoder(in, "deepseek2", LayerKind::kLatentExperts);
  spec.unused_layers = in.IntegerOr("nextn_predict_layers", 0, 0, kMostUnused);
  if (static_cast<size_t>(spec.unused_layers) < spec.layers.size()) {
    spec.layers.resize(spec.layers.size() - static_cast<size_t>(spec.unused_layers));
  } else {
    in.Fail(fmt::format("nextn_predict_layers is {}; fewer than the {} layers expected",
                        spec.unused_layers, spec.layers.size()));
  }
  spec.latent = ReadGgufLatent(in, spec.heads, spec.norm_epsilon);
  spec.ropes.push_back(ReadGgufRope(in, spec.latent.rope_dim));
  spec.pairs = RopePairs::kNeighbours;
  spec.experts = ReadGgufExperts(in);
  SetExpertLayers(spec, in.IntegerOr("leading_dense_block_count", 0, 0, 1 << 16));
  SetShared(in, spec.experts, in.IntegerOr("expert_shared_count", 0, 0, kMostShared));
  spec.experts.route.normalise = in.FlagOr("expert_weights_norm", false) ? 1 : 0;
  spec.experts.route.scale =
      static_cast<float>(in.RealOr("expert_weights_scale", 1, 0, kMostScale));
  if (spec.experts.route.scale == 0) spec.experts.route.scale = 1;  // as good as missing
  // 1: softmax; 2: sigmoid.
  if (in.IntegerOr("expert_gating_func", 1, 1, 2) == 2) SetSigmoid(spec.experts);
  return spec;
}

void ReadGroups(Settings& in, RouteParams& route) {
  route.groups = in.IntegerOr("n_group", 1, 1, kMostGroups);
  route.kept_groups = in.IntegerOr("topk_group", 1, 1, kMostGroups);
}

void ReadV2Routing(Settings& in, RouteParams& route) {
  const std::string_view method = in.TextOr("topk_method", "greedy");
  if (method == "group_limited_greedy") {
    ReadGroups(in, route);
  } else if (method != "greedy") {
    in.Fail(fmt::format("topk_method is {}; greedy and group_limited_greedy are known",
                        Quoted(method)));
  }
  // norm_topk_prob is for other implementations: transformers never divides by the sum.
}

void ReadV3Routing(Settings& in, ExpertSpec& experts) {
  SetSigmoid(experts);
  ReadGroups(in, experts.route);
  experts.route.normalise = in.FlagOr("norm_topk_prob", true) ? 1 : 0;
}

void RefuseUnknown(Settings& in, bool v3) {
  const std::string_view scoring = in.TextOr("scoring_func", v3 ? "sigmoid" : "softmax");
  if (scoring != (v3 ? "sigmoid" : "softmax")) {
    in.Fail(fmt::format("scoring_func is {}; {} expected", Quoted(scoring),
                        v3 ? "sigmoid" : "softmax"));
  }
  if (in.IntegerOr("moe_layer_freq", 1, 1, 1 << 16) != 1) {
    in.Fail("moe_layer_freq is above 1; experts in every layer after the first ones expected");
  }
  if (in.FlagOr("attention_bias", false) || in.FlagOr("mlp_bias", false)) {
    in.Fail("attention_bias or mlp_bias is true; matrices without biases expected");
  }
}

DecoderSpec FromConfig(Settings& in) {
  const bool v3 = in.TextOr("model_type", "") == "deepseek_v3";
  DecoderSpec spec =
      ReadConfigDecoder(in, v3 ? "deepseek_v3" : "deepseek_v2", LayerKind::kLatentExperts);
  RefuseUnknown(in, v3);
  spec.qkv_bias = spec.output_bias = false;
  spec.unused_layers = in.IntegerOr("num_nextn_predict_layers", 0, 0, kMostUnused);
  spec.latent = ReadConfigLatent(in, spec.heads);
  spec.ropes.push_back(ReadConfigRope(in, "rope_parameters", spec.latent.rope_dim, 10000));
  spec.pairs = in.FlagOr("rope_interleave", true) ? RopePairs::kNeighbours : RopePairs::kHalves;
  spec.activation = ReadActivation(in, "hidden_act", "silu");
  spec.head = in.FlagOr("tie_word_embeddings", false) ? Head::kTied : Head::kOwn;
  spec.experts = ReadConfigExperts(in, "n_routed_experts", "moe_intermediate_size");
  spec.experts.names.shared_gate = "mlp.shared_experts.gate_proj";
  spec.experts.names.shared_up = "mlp.shared_experts.up_proj";
  spec.experts.names.shared_down = "mlp.shared_experts.down_proj";
  SetExpertLayers(spec, in.IntegerOr("first_k_dense_replace", v3 ? 3 : 0, 0, 1 << 16));
  SetShared(in, spec.experts, in.IntegerOr("n_shared_experts", v3 ? 1 : 0, 0, kMostShared));
  if (v3) {
    ReadV3Routing(in, spec.experts);
  } else {
    ReadV2Routing(in, spec.experts.route);
  }
  spec.experts.route.scale =
      static_cast<float>(in.RealOr("routed_scaling_factor", v3 ? 2.5 : 1, 1e-6, kMostScale));
  return spec;
}

}  // namespace

Result<std::unique_ptr<StoredModel>> OpenDeepseek(ModelFiles files) {
  Settings in(*files.settings, files.gguf ? "deepseek2." : "");
  DecoderSpec spec = files.gguf ? FromGguf(in) : FromConfig(in);
  CheckExpertLayers(in, spec);
  TENON_RETURN_IF_ERROR(in.Check());
  SetAttention(spec);
  return MakeDecoder(std::move(spec), std::move(files));
}

}  // namespace tenon::models
