// SPDX-License-Identifier: Apache-2.0
// Qwen3-MoE: Qwen3 with experts. Yang et al. 2025, "Qwen3 Technical Report".
#include <utility>

#include "models/architectures.h"
#include "models/decoder.h"
#include "models/layer_windows.h"
#include "models/qwen_experts.h"
#include "models/settings.h"

namespace tenon::models {
namespace {

DecoderSpec FromGguf(Settings& in) {
  DecoderSpec spec = ReadGgufDecoder(in, "qwen3moe", LayerKind::kExperts);
  spec.ropes.push_back(ReadGgufRope(in, spec.head_dim));
  spec.experts = ReadGgufExperts(in);
  spec.experts.route.normalise = 1;
  for (DecoderLayer& layer : spec.layers) layer.experts = true;
  return spec;
}

DecoderSpec FromConfig(Settings& in) {
  DecoderSpec spec = ReadConfigDecoder(in, "qwen3_moe", LayerKind::kExperts);
  spec.ropes.push_back(ReadConfigRope(in, "rope_parameters", spec.head_dim, 10000));
  spec.activation = ReadActivation(in, "hidden_act", "silu");
  spec.head = in.FlagOr("tie_word_embeddings", false) ? Head::kTied : Head::kOwn;
  if (in.FlagOr("use_sliding_window", false)) {
    SetWindow(spec, in.IntegerOr("sliding_window", 4096, 1, kMostWindow));
  }
  spec.experts = ReadQwenExperts(in);
  ReadQwenExpertLayers(in, spec);
  return spec;
}

}  // namespace

Result<std::unique_ptr<StoredModel>> OpenQwen3Moe(ModelFiles files) {
  Settings in(*files.settings, files.gguf ? "qwen3moe." : "");
  DecoderSpec spec = files.gguf ? FromGguf(in) : FromConfig(in);
  CheckExpertLayers(in, spec);
  TENON_RETURN_IF_ERROR(in.Check());
  spec.pairs = RopePairs::kHalves;
  spec.qk_norms = true;
  return MakeDecoder(std::move(spec), std::move(files));
}

}  // namespace tenon::models
