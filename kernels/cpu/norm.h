// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "kernels/cpu/isa.h"

namespace tenon::cpu {

// Normalises `groups` runs of `group` consecutive values, each alone:
//   out = x / sqrt(mean(x^2) + epsilon) * weight,   weight [group].
// In place where out == x; no other overlap. The order of the sum depends on `group` and the level
// only. Zhang & Sennrich 2019, "Root Mean Square Layer Normalization".
using RmsNormFunction = void (*)(const float* x, int64_t groups, int64_t group, const float* weight,
                                 float epsilon, float* out);

// Normalises one row z = x + y, or z = x where y is null:
//   out = (z - mean(z)) / sqrt(variance(z) + epsilon) * weight + bias,   all of them [count].
// out may be x or y; no other overlap. The order of the sums depends on `count` and the level only.
// Ba et al. 2016, "Layer Normalization".
using LayerNormFunction = void (*)(const float* x, const float* y, int64_t count,
                                   const float* weight, const float* bias, float epsilon,
                                   float* out);

// For one level; stateless, any thread.
RmsNormFunction RmsNormOf(Isa isa);
LayerNormFunction LayerNormOf(Isa isa);

}  // namespace tenon::cpu
