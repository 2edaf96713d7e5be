// SPDX-License-Identifier: Apache-2.0
// Qwen1.5-MoE and Qwen2-MoE: Qwen2 with experts, and one to which every token goes by a weight of
// its own. Yang et al. 2024, "Qwen2 Technical Report".
#include <utility>

#include "models/architectures.h"
#include "models/decoder.h"
#include "models/layer_windows.h"
#include "models/qwen_experts.h"
#include "models/settings.h"

namespace tenon::models {
namespace {

constexpr int32_t kMostFfn = 1 << 24;

DecoderSpec FromGguf(Settings& in) {
  DecoderSpec spec = ReadGgufDecoder(in, "qwen2moe", LayerKind::kExperts);
  spec.ropes.push_back(ReadGgufRope(in, spec.head_dim));
  spec.experts = ReadGgufExperts(in);
  const char* shared = "expert_shared_feed_forward_length";
  spec.experts.shared_ffn =
      in.Integer(in.Has(shared) ? shared : "feed_forward_length", 1, kMostFfn);
  for (DecoderLayer& layer : spec.layers) layer.experts = true;
  spec.qkv_bias = true;
  return spec;
}

DecoderSpec FromConfig(Settings& in) {
  DecoderSpec spec = ReadConfigDecoder(in, "qwen2_moe", LayerKind::kExperts);
  spec.ropes.push_back(ReadConfigRope(in, "rope_parameters", spec.head_dim, 10000));
  spec.activation = ReadActivation(in, "hidden_act", "silu");
  spec.head = in.FlagOr("tie_word_embeddings", false) ? Head::kTied : Head::kOwn;
  ReadQwenWindows(in, spec);
  spec.experts = ReadQwenExperts(in);
  spec.experts.shared_ffn = in.Integer("shared_expert_intermediate_size", 1, kMostFfn);
  spec.experts.names.shared_gate = "mlp.shared_expert.gate_proj";
  spec.experts.names.shared_up = "mlp.shared_expert.up_proj";
  spec.experts.names.shared_down = "mlp.shared_expert.down_proj";
  spec.experts.names.shared_router = "mlp.shared_expert_gate";
  ReadQwenExpertLayers(in, spec);
  spec.qkv_bias = in.FlagOr("qkv_bias", true);
  return spec;
}

}  // namespace

Result<std::unique_ptr<StoredModel>> OpenQwen2Moe(ModelFiles files) {
  Settings in(*files.settings, files.gguf ? "qwen2moe." : "");
  DecoderSpec spec = files.gguf ? FromGguf(in) : FromConfig(in);
  CheckExpertLayers(in, spec);
  TENON_RETURN_IF_ERROR(in.Check());
  spec.pairs = RopePairs::kHalves;
  spec.output_bias = false;
  spec.experts.shared_has_router = true;
  return MakeDecoder(std::move(spec), std::move(files));
}

}  // namespace tenon::models
