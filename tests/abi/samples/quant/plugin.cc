// SPDX-License-Identifier: Apache-2.0
#include "tenon/plugin.h"

#include "sample.h"

namespace {

using tenon::Capability;
using tenon::DType;

constexpr tenon::ComponentInfo kComponent = tenon::Describe<first::Sample>(
    tenon::Family::kQuant, "first.sample", "Weights become f32 when they are loaded.", 0,
    tenon::ClaimWeights(DType::kF32, DType::kF16, DType::kBF16, DType::kQ8_0)
        .Union(tenon::Claim(Capability::kDeviceCpu, Capability::kLinearBias)));

}  // namespace

TENON_PLUGIN("first.quant.sample", "1.0.0", "Apache-2.0", &kComponent);
