// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "kernels/cpu/isa.h"

// Where in a row of f32 the large ones are: a filter of tokens looks only into blocks that hold
// one.
namespace tenon::cpu {

inline constexpr int64_t kMaximaBlock = 128;

// out[b] = the largest of x[128 b … 128 b + 127], as far as there are `count` values; NaN is passed
// over, -infinity stands where nothing else does. All levels give the same. Any thread.
void BlockMaxima(Isa isa, const float* x, int64_t count, float* out);

}  // namespace tenon::cpu
