// SPDX-License-Identifier: Apache-2.0
#include "tenon/plugin.h"

#include "plugins/quant/dequant/dequant.h"

namespace {

constexpr tenon::Capabilities kUnderstands =
    tenon::Claim(tenon::Capability::kDeviceCpu, tenon::Capability::kLinearBias,
                 tenon::Capability::kGroupedLinear, tenon::Capability::kWeightScales)
        .Union(tenon::ClaimWeights(tenon::DType::kF32, tenon::DType::kF16, tenon::DType::kBF16,
                                   tenon::DType::kF8E4M3, tenon::DType::kQ4_0, tenon::DType::kQ4_1,
                                   tenon::DType::kQ5_0, tenon::DType::kQ5_1, tenon::DType::kQ8_0,
                                   tenon::DType::kQ4_K, tenon::DType::kQ5_K, tenon::DType::kQ6_K));

constexpr tenon::ComponentInfo kDequant = tenon::Describe<tenon::quant::DequantQuant>(
    tenon::Family::kQuant, "dequant", "Weights unpacked to f32 or bf16 at load: the reference.", 10,
    kUnderstands, tenon::quant::DequantQuant::kOptions);

}  // namespace

TENON_PLUGIN("tenon.quant.dequant", "0.1.0", "Apache-2.0", &kDequant);
