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

// For one level; stateless, any thread.
RmsNormFunction RmsNormOf(Isa isa);

}  // namespace tenon::cpu
