// SPDX-License-Identifier: Apache-2.0
// Gemma 3, text only. Gemma Team 2025, "Gemma 3 Technical Report": five layers with a sliding
// window to each that sees everything, each kind with RoPE frequencies of its own.
#include <cmath>
#include <utility>

#include "models/architectures.h"
#include "models/decoder.h"
#include "models/layer_windows.h"
#include "models/settings.h"

namespace tenon::models {
namespace {

constexpr uint32_t kGlobalRope = 0;
constexpr uint32_t kLocalRope = 1;
constexpr double kLocalTheta = 10000;
constexpr double kGlobalTheta = 1e6;
constexpr int32_t kPattern = 6;
constexpr size_t kLayersOf27B = 62;

void SetCommon(DecoderSpec& spec) {
  spec.embedding_scale = std::sqrt(static_cast<float>(spec.hidden));
  spec.activation = Activation::kGeluTanh;
  spec.pairs = RopePairs::kHalves;
  spec.qk_norms = true;
  spec.post_norms = true;
}

void SetLayerRopes(DecoderSpec& spec) {
  for (DecoderLayer& layer : spec.layers) layer.rope = layer.window > 0 ? kLocalRope : kGlobalRope;
}

DecoderSpec FromGguf(Settings& in) {
  DecoderSpec spec = ReadGgufDecoder(in, "gemma3");
  SetCommon(spec);
  // The converter to GGUF has added the 1 to the norms' weights.
  spec.norm_offset = 0;
  // GGUF does not carry query_pre_attn_scalar; of Gemma 3 only the 27B differs from head_dim.
  if (spec.layers.size() == kLayersOf27B) {
    spec.attention_scale = 1 / std::sqrt(static_cast<float>(spec.hidden / spec.heads));
  }
  spec.names.rope_factors = "";
  spec.ropes.push_back(ReadGgufRope(in, spec.head_dim));
  if (!in.Has("rope.freq_base")) spec.ropes[kGlobalRope].theta = kGlobalTheta;
  RopeSpec local;
  local.theta = in.RealOr("rope.freq_base_swa", kLocalTheta, 1, 1e12);
  local.rotary_dim = spec.ropes[kGlobalRope].rotary_dim;
  spec.ropes.push_back(local);
  spec.attention_cap = static_cast<float>(in.RealOr("attn_logit_softcapping", 0, 0, 1e6));
  spec.logits_cap = static_cast<float>(in.RealOr("final_logit_softcapping", 0, 0, 1e6));
  SetWindowPattern(spec, in.IntegerOr("attention.sliding_window_pattern", kPattern, 1, 1 << 16),
                   in.Integer("attention.sliding_window", 1, kMostWindow));
  SetLayerRopes(spec);
  return spec;
}

void SetConfigRopes(Settings& in, DecoderSpec& spec) {
  const bool has_local = in.Has("rope_parameters.sliding_attention");
  if (in.Has("rope_parameters.full_attention") || has_local) {
    if (!has_local) in.Fail("rope_parameters.sliding_attention is missing");
    spec.ropes.push_back(
        ReadConfigRope(in, "rope_parameters.full_attention", spec.head_dim, kGlobalTheta));
    spec.ropes.push_back(
        ReadConfigRope(in, "rope_parameters.sliding_attention", spec.head_dim, kLocalTheta));
    return;
  }
  spec.ropes.push_back(ReadConfigRope(in, "rope_parameters", spec.head_dim, kGlobalTheta));
  RopeSpec local;
  local.theta = in.RealOr("rope_local_base_freq", kLocalTheta, 1, 1e12);
  local.rotary_dim = spec.ropes[kGlobalRope].rotary_dim;
  spec.ropes.push_back(local);
}

DecoderSpec FromConfig(Settings& in) {
  DecoderSpec spec = ReadConfigDecoder(in, "gemma3_text");
  SetCommon(spec);
  spec.norm_offset = 1;
  spec.activation = ReadActivation(in, "hidden_activation", "gelu_pytorch_tanh");
  spec.attention_scale =
      1 / std::sqrt(static_cast<float>(in.RealOr("query_pre_attn_scalar", 256, 1e-3, 1e6)));
  spec.head = in.FlagOr("tie_word_embeddings", true) ? Head::kTied : Head::kOwn;
  spec.attention_cap = static_cast<float>(in.RealOr("attn_logit_softcapping", 0, 0, 1e6));
  spec.logits_cap = static_cast<float>(in.RealOr("final_logit_softcapping", 0, 0, 1e6));
  spec.names.post_attention_norm = "post_attention_layernorm";
  spec.names.ffn_norm = "pre_feedforward_layernorm";
  spec.names.post_ffn_norm = "post_feedforward_layernorm";
  if (in.FlagOr("use_bidirectional_attention", false)) {
    in.Fail("use_bidirectional_attention is true; only causal attention can be done");
  }
  SetConfigRopes(in, spec);
  const int32_t window = in.IntegerOr("sliding_window", 4096, 1, kMostWindow);
  if (!ReadLayerTypes(in, spec, window)) {
    const int32_t older = in.IntegerOr("_sliding_window_pattern", kPattern, 1, 1 << 16);
    SetWindowPattern(spec, in.IntegerOr("sliding_window_pattern", older, 1, 1 << 16), window);
  }
  SetLayerRopes(spec);
  return spec;
}

}  // namespace

Result<std::unique_ptr<StoredModel>> OpenGemma3(ModelFiles files) {
  Settings in(*files.settings, files.gguf ? "gemma3." : "");
  DecoderSpec spec = files.gguf ? FromGguf(in) : FromConfig(in);
  TENON_RETURN_IF_ERROR(in.Check());
  return MakeDecoder(std::move(spec), std::move(files));
}

}  // namespace tenon::models
