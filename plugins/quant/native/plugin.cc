// SPDX-License-Identifier: Apache-2.0
#include "tenon/plugin.h"

#include "plugins/quant/native/native.h"

namespace {

constexpr tenon::Capabilities kUnderstands =
    tenon::Claim(tenon::Capability::kDeviceCpu, tenon::Capability::kLinearBias,
                 tenon::Capability::kGroupedLinear, tenon::Capability::kWeightScales)
        .Union(tenon::ClaimWeights(tenon::DType::kF32, tenon::DType::kF16, tenon::DType::kBF16,
                                   tenon::DType::kF8E4M3, tenon::DType::kQ4_0, tenon::DType::kQ4_1,
                                   tenon::DType::kQ5_0, tenon::DType::kQ5_1, tenon::DType::kQ8_0,
                                   tenon::DType::kQ4_K, tenon::DType::kQ5_K, tenon::DType::kQ6_K));

constexpr tenon::ComponentInfo kNative = tenon::Describe<tenon::quant::NativeQuant>(
    tenon::Family::kQuant, "native",
    "Weights as stored; activations rounded to int8 in blocks of 32, or exact in f32.", 100,
    kUnderstands, tenon::quant::NativeQuant::kOptions);

}  // namespace

TENON_PLUGIN("tenon.quant.native", "0.1.0", "Apache-2.0", &kNative);
