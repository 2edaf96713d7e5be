// SPDX-License-Identifier: Apache-2.0
// libFuzzer target: any bytes as an adapter_config.json.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "models/adapter_config.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using tenon::models::AdapterConfig;
  const std::string_view json(reinterpret_cast<const char*>(data), size);
  const auto config = AdapterConfig::Parse(json, "fuzz.json");
  if (!config.ok()) {
    if (config.error().message.empty()) __builtin_trap();
    return 0;
  }
  for (const std::string_view module :
       {"model.layers.0.self_attn.q_proj", "model.layers.11.mlp.down_proj", "lm_head", ""}) {
    const int64_t rank = config->RankOf(module);
    if (rank < 1 || rank > AdapterConfig::kMostRank) __builtin_trap();
    if (!std::isfinite(config->ScaleOf(module))) __builtin_trap();
    (void)config->Targets(module);
  }
  return 0;
}
