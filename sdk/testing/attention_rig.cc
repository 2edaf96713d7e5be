// SPDX-License-Identifier: Apache-2.0
#include "tenon/testing/attention_rig.h"

#include <cmath>

namespace tenon::testing {
namespace {

// The first KV type that it claims.
std::string AnyKvType(const ComponentInfo& info) {
  for (const char* type : kKvTypes) {
    if (info.capabilities.Has(KvBit(type))) return type;
  }
  return "f32";
}

}  // namespace

Capability KvBit(const std::string& type) {
  if (type == "f32") return Capability::kKvF32;
  if (type == "f16") return Capability::kKvF16;
  return type == "bf16" ? Capability::kKvBF16 : Capability::kKvI8;
}

double ToleranceOf(const std::string& type) {
  if (type == "f32") return 1e-4;
  if (type == "f16") return 1e-3;
  return type == "bf16" ? 4e-3 : 5e-2;
}

AttentionParams Layer(int32_t heads, int32_t kv_heads, int32_t head_dim, int32_t value_dim) {
  return {0, heads, kv_heads, head_dim, value_dim, 1 / std::sqrt(static_cast<float>(head_dim)),
          0, 0,     0};
}

AttentionSetup SetupOf(const Subject& subject, AttentionParams layer) {
  AttentionSetup setup;
  setup.layer = layer;
  setup.kv_type = AnyKvType(*subject.component);
  return setup;
}

std::vector<AttentionStep> MixedSteps() {
  return {{{0, 37}},
          {{0, 1}, {1, 90}},
          {{0, 1}, {1, 1}, {2, 7}},
          {{2, 40}, {0, 1}, {1, 17}},
          {{0, 1}, {1, 1}, {2, 1}}};
}

std::map<std::string, std::string> KvOption(const ComponentInfo& info, const std::string& type) {
  if (FindOption(info, "kv_type") == nullptr) return {};
  return {{"kv_type", type}};
}

}  // namespace tenon::testing
