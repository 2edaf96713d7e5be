// SPDX-License-Identifier: Apache-2.0
#include "models/qwen_experts.h"

#include "fmt/format.h"
#include "models/settings.h"

namespace tenon::models {

ExpertSpec ReadQwenExperts(Settings& in) {
  const char* older = "num_experts";
  ExpertSpec out =
      ReadConfigExperts(in, in.Has(older) ? older : "num_local_experts", "moe_intermediate_size");
  out.route.normalise = in.FlagOr("norm_topk_prob", false) ? 1 : 0;
  return out;
}

void ReadQwenExpertLayers(Settings& in, DecoderSpec& spec) {
  const size_t count = spec.layers.size();
  const auto step = static_cast<size_t>(in.IntegerOr("decoder_sparse_step", 1, 1, 1 << 16));
  for (size_t i = 0; i < count; ++i) spec.layers[i].experts = (i + 1) % step == 0;
  for (int64_t i = 0; i < in.ListSize("mlp_only_layers"); ++i) {
    const int32_t layer = in.Integer(fmt::format("mlp_only_layers.{}", i), 0, 1 << 16);
    if (static_cast<size_t>(layer) < count) spec.layers[static_cast<size_t>(layer)].experts = false;
  }
}

}  // namespace tenon::models
