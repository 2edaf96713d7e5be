// SPDX-License-Identifier: Apache-2.0
// Llama and Mistral, and Mixtral as GGUF has it: a llama with experts. Touvron et al. 2023, "Llama
// 2"; Jiang et al. 2023, "Mistral 7B".
#include <utility>

#include "models/architectures.h"
#include "models/decoder.h"
#include "models/layer_windows.h"
#include "models/settings.h"

namespace tenon::models {
namespace {

DecoderSpec FromGguf(Settings& in) {
  const bool experts = GgufHasExperts(in);
  DecoderSpec spec =
      ReadGgufDecoder(in, "llama", experts ? LayerKind::kExperts : LayerKind::kDense);
  if (experts) {
    spec.experts = ReadGgufExperts(in);
    spec.experts.route.normalise = 1;
    for (DecoderLayer& layer : spec.layers) layer.experts = true;
    CheckExpertLayers(in, spec);
  }
  spec.ropes.push_back(ReadGgufRope(in, spec.head_dim));
  // The converter to GGUF reorders the rows of q and k so that pairs become neighbours.
  spec.pairs = RopePairs::kNeighbours;
  SetWindow(spec, in.IntegerOr("attention.sliding_window", 0, 0, kMostWindow));
  return spec;
}

DecoderSpec FromConfig(Settings& in) {
  DecoderSpec spec = ReadConfigDecoder(in, in.TextOr("model_type", "llama"));
  spec.ropes.push_back(ReadConfigRope(in, "rope_parameters", spec.head_dim, 10000));
  spec.pairs = RopePairs::kHalves;
  spec.activation = ReadActivation(in, "hidden_act", "silu");
  spec.ffn_bias = in.FlagOr("mlp_bias", false);
  spec.head = in.FlagOr("tie_word_embeddings", false) ? Head::kTied : Head::kOwn;
  SetWindow(spec, in.IntegerOr("sliding_window", 0, 0, kMostWindow));
  return spec;
}

}  // namespace

Result<std::unique_ptr<StoredModel>> OpenLlama(ModelFiles files) {
  Settings in(*files.settings, files.gguf ? "llama." : "");
  DecoderSpec spec = files.gguf ? FromGguf(in) : FromConfig(in);
  TENON_RETURN_IF_ERROR(in.Check());
  return MakeDecoder(std::move(spec), std::move(files));
}

}  // namespace tenon::models
