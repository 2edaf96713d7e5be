// SPDX-License-Identifier: Apache-2.0
// Mixtral: Mistral with experts in all layers. Jiang et al. 2024, "Mixtral of Experts".
#include <utility>

#include "models/architectures.h"
#include "models/decoder.h"
#include "models/layer_windows.h"
#include "models/settings.h"

namespace tenon::models {
namespace {

ExpertNames Names() {
  ExpertNames n;
  n.router = "block_sparse_moe.gate";
  n.gate = "block_sparse_moe.experts.{}.w1";
  n.up = "block_sparse_moe.experts.{}.w3";
  n.down = "block_sparse_moe.experts.{}.w2";
  return n;
}

DecoderSpec FromConfig(Settings& in) {
  DecoderSpec spec = ReadConfigDecoder(in, "mixtral", LayerKind::kExperts);
  spec.ropes.push_back(ReadConfigRope(in, "rope_parameters", spec.head_dim, 1e6));
  spec.pairs = RopePairs::kHalves;
  spec.activation = ReadActivation(in, "hidden_act", "silu");
  spec.head = in.FlagOr("tie_word_embeddings", false) ? Head::kTied : Head::kOwn;
  SetWindow(spec, in.IntegerOr("sliding_window", 0, 0, kMostWindow));
  spec.experts = ReadConfigExperts(in, "num_local_experts", "intermediate_size");
  spec.experts.route.normalise = 1;
  spec.experts.names = Names();
  for (DecoderLayer& layer : spec.layers) layer.experts = true;
  CheckExpertLayers(in, spec);
  return spec;
}

}  // namespace

Result<std::unique_ptr<StoredModel>> OpenMixtral(ModelFiles files) {
  Settings in(*files.settings);
  DecoderSpec spec = FromConfig(in);
  TENON_RETURN_IF_ERROR(in.Check());
  return MakeDecoder(std::move(spec), std::move(files));
}

}  // namespace tenon::models
