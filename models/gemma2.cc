// SPDX-License-Identifier: Apache-2.0
// Gemma 2. Gemma Team 2024, "Gemma 2: Improving Open Language Models at a Practical Size": capped
// scores and logits, and a sliding window in every other layer, the first included.
#include <cmath>
#include <utility>

#include "models/architectures.h"
#include "models/decoder.h"
#include "models/layer_windows.h"
#include "models/settings.h"

namespace tenon::models {
namespace {

constexpr double kTheta = 10000;
constexpr int32_t kPattern = 2;
constexpr int32_t kWindow = 4096;
constexpr double kAttentionCap = 50;
constexpr double kLogitsCap = 30;
constexpr size_t kLayersOf27B = 46;

// A null says that there is no cap, a missing key that it is the usual one.
float ReadCap(Settings& in, std::string_view key, double usual) {
  return in.IsNull(key) ? 0.0f : static_cast<float>(in.RealOr(key, usual, 1e-3, 1e6));
}

void SetCommon(Settings& in, DecoderSpec& spec) {
  spec.embedding_scale = std::sqrt(static_cast<float>(spec.hidden));
  spec.activation = Activation::kGeluTanh;
  spec.pairs = RopePairs::kHalves;
  spec.post_norms = true;
  spec.attention_cap = ReadCap(in, "attn_logit_softcapping", kAttentionCap);
  spec.logits_cap = ReadCap(in, "final_logit_softcapping", kLogitsCap);
}

DecoderSpec FromGguf(Settings& in) {
  DecoderSpec spec = ReadGgufDecoder(in, "gemma2");
  SetCommon(in, spec);
  // The converter to GGUF has added the 1 to the norms' weights.
  spec.norm_offset = 0;
  // GGUF does not carry query_pre_attn_scalar; of Gemma 2 only the 27B differs from head_dim.
  if (spec.layers.size() == kLayersOf27B) {
    spec.attention_scale = 1 / std::sqrt(static_cast<float>(spec.hidden / spec.heads));
  }
  spec.ropes.push_back(ReadGgufRope(in, spec.head_dim));
  SetWindowPattern(spec, kPattern,
                   in.IntegerOr("attention.sliding_window", kWindow, 1, kMostWindow));
  return spec;
}

DecoderSpec FromConfig(Settings& in) {
  DecoderSpec spec = ReadConfigDecoder(in, "gemma2");
  SetCommon(in, spec);
  spec.norm_offset = 1;
  spec.activation = ReadActivation(in, "hidden_activation", "gelu_pytorch_tanh");
  spec.attention_scale =
      1 / std::sqrt(static_cast<float>(in.RealOr("query_pre_attn_scalar", 256, 1e-3, 1e6)));
  spec.head = in.FlagOr("tie_word_embeddings", true) ? Head::kTied : Head::kOwn;
  spec.names.post_attention_norm = "post_attention_layernorm";
  spec.names.ffn_norm = "pre_feedforward_layernorm";
  spec.names.post_ffn_norm = "post_feedforward_layernorm";
  if (in.FlagOr("use_bidirectional_attention", false)) {
    in.Fail("use_bidirectional_attention is true; only causal attention can be done");
  }
  spec.ropes.push_back(ReadConfigRope(in, "rope_parameters", spec.head_dim, kTheta));
  const int32_t window = in.IntegerOr("sliding_window", kWindow, 1, kMostWindow);
  if (!ReadLayerTypes(in, spec, window)) SetWindowPattern(spec, kPattern, window);
  return spec;
}

}  // namespace

Result<std::unique_ptr<StoredModel>> OpenGemma2(ModelFiles files) {
  Settings in(*files.settings, files.gguf ? "gemma2." : "");
  DecoderSpec spec = files.gguf ? FromGguf(in) : FromConfig(in);
  TENON_RETURN_IF_ERROR(in.Check());
  return MakeDecoder(std::move(spec), std::move(files));
}

}  // namespace tenon::models
