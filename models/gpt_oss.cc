// SPDX-License-Identifier: Apache-2.0
// gpt-oss: experts with biases and a clamped GLU in all layers, attention with sinks, and a window
// in every other layer, the first included. OpenAI 2025, "gpt-oss-120b & gpt-oss-20b Model Card".
#include <utility>

#include "models/architectures.h"
#include "models/decoder.h"
#include "models/layer_windows.h"
#include "models/settings.h"

namespace tenon::models {
namespace {

constexpr int32_t kPattern = 2;
constexpr int32_t kWindow = 128;
constexpr double kTheta = 150000;

ExpertNames Names() {
  ExpertNames n;
  n.router = "mlp.router";
  n.gate_up = "mlp.experts.gate_up_proj";
  n.down = "mlp.experts.down_proj";
  return n;
}

DecoderSpec FromGguf(Settings& in) {
  DecoderSpec spec = ReadGgufDecoder(in, "gpt-oss", LayerKind::kExperts);
  spec.ropes.push_back(ReadGgufRope(in, spec.head_dim));
  // GGUF does not carry that the ramp of YaRN ends between pairs.
  spec.ropes[0].whole_ramp = false;
  SetWindowPattern(spec, kPattern,
                   in.IntegerOr("attention.sliding_window", kWindow, 1, kMostWindow));
  spec.experts = ReadGgufExperts(in);
  spec.names.sinks = "attn_sinks.weight";
  spec.names.ffn_norm = "post_attention_norm";
  spec.qkv_bias = spec.output_bias = true;
  return spec;
}

DecoderSpec FromConfig(Settings& in) {
  DecoderSpec spec = ReadConfigDecoder(in, "gpt_oss", LayerKind::kExperts);
  spec.ropes.push_back(ReadConfigRope(in, "rope_parameters", spec.head_dim, kTheta));
  spec.head = in.FlagOr("tie_word_embeddings", false) ? Head::kTied : Head::kOwn;
  spec.qkv_bias = spec.output_bias = in.FlagOr("attention_bias", true);
  const int32_t window = in.IntegerOr("sliding_window", kWindow, 1, kMostWindow);
  if (!ReadLayerTypes(in, spec, window)) SetWindowPattern(spec, kPattern, window);
  const char* older = "num_experts";
  spec.experts =
      ReadConfigExperts(in, in.Has(older) ? older : "num_local_experts", "intermediate_size");
  spec.experts.clamp.alpha = static_cast<float>(in.RealOr("swiglu_alpha", 1.702, 1e-3, 1e3));
  spec.experts.clamp.limit = static_cast<float>(in.RealOr("swiglu_limit", 7, 1e-3, 1e6));
  spec.experts.layout = ExpertLayout::kInterleaved;
  spec.experts.names = Names();
  spec.names.sinks = "self_attn.sinks";
  return spec;
}

}  // namespace

Result<std::unique_ptr<StoredModel>> OpenGptOss(ModelFiles files) {
  Settings in(*files.settings, files.gguf ? "gpt-oss." : "");
  DecoderSpec spec = files.gguf ? FromGguf(in) : FromConfig(in);
  for (DecoderLayer& layer : spec.layers) layer.experts = true;
  CheckExpertLayers(in, spec);
  TENON_RETURN_IF_ERROR(in.Check());
  spec.pairs = RopePairs::kHalves;
  spec.sinks = true;
  spec.experts.route.score = RouteScore::kSoftmaxChosen;
  spec.experts.bias = true;
  spec.experts.clamped = true;
  return MakeDecoder(std::move(spec), std::move(files));
}

}  // namespace tenon::models
