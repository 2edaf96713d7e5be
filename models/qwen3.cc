// SPDX-License-Identifier: Apache-2.0
// Qwen3, dense: q and k are normalised head by head. Yang et al. 2025, "Qwen3 Technical Report".
#include <utility>

#include "models/architectures.h"
#include "models/decoder.h"
#include "models/layer_windows.h"
#include "models/settings.h"

namespace tenon::models {
namespace {

DecoderSpec FromGguf(Settings& in) {
  DecoderSpec spec = ReadGgufDecoder(in, "qwen3");
  spec.ropes.push_back(ReadGgufRope(in, spec.head_dim));
  SetWindow(spec, in.IntegerOr("attention.sliding_window", 0, 0, kMostWindow));
  return spec;
}

DecoderSpec FromConfig(Settings& in) {
  DecoderSpec spec = ReadConfigDecoder(in, "qwen3");
  spec.ropes.push_back(ReadConfigRope(in, "rope_parameters", spec.head_dim, 10000));
  spec.activation = ReadActivation(in, "hidden_act", "silu");
  spec.head = in.FlagOr("tie_word_embeddings", false) ? Head::kTied : Head::kOwn;
  ReadQwenWindows(in, spec);
  return spec;
}

}  // namespace

Result<std::unique_ptr<StoredModel>> OpenQwen3(ModelFiles files) {
  Settings in(*files.settings, files.gguf ? "qwen3." : "");
  DecoderSpec spec = files.gguf ? FromGguf(in) : FromConfig(in);
  TENON_RETURN_IF_ERROR(in.Check());
  spec.pairs = RopePairs::kHalves;
  spec.qk_norms = true;
  return MakeDecoder(std::move(spec), std::move(files));
}

}  // namespace tenon::models
