// SPDX-License-Identifier: Apache-2.0
#include "tenon/plugin.h"

#include "plugins/quant/cublas/cublas.h"

namespace {

using tenon::Capability;
using tenon::DType;
using tenon::OptionInfo;
using tenon::OptionType;

constexpr OptionInfo kOptions[] = {
    {.name = "weights",
     .type = OptionType::kString,
     .default_text = "bf16",
     .doc = "What weights are unpacked to at load; activations take the same type, sums are f32.",
     .choices = "f32|f16|bf16"},
    {.name = "workspace_mib",
     .type = OptionType::kInt,
     .default_text = "32",
     .doc = "Memory that cuBLASLt may use for its own purposes.",
     .minimum = 0,
     .maximum = 1024,
     .unit = "MiB"},
};

constexpr tenon::ComponentInfo kCublas = tenon::Describe<tenon::quant::CublasLinear>(
    tenon::Family::kQuant, "cublas",
    "Weights unpacked to f32, f16 or bf16 at load, multiplied by cuBLASLt.", 0,
    tenon::Claim(Capability::kDeviceCuda, Capability::kLinearBias)
        .Union(tenon::ClaimWeights(DType::kF32, DType::kF16, DType::kBF16, DType::kQ4_0,
                                   DType::kQ4_1, DType::kQ5_0, DType::kQ5_1, DType::kQ8_0,
                                   DType::kQ4_K, DType::kQ5_K, DType::kQ6_K)),
    kOptions);

}  // namespace

TENON_PLUGIN("tenon.quant.cublas", "0.1.0", "Apache-2.0", &kCublas);
