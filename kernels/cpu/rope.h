// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "kernels/cpu/isa.h"

// Rotary position embedding. Su et al. 2021, "RoFormer: Enhanced Transformer with Rotary Position
// Embedding".
namespace tenon::cpu {

struct RopeFunctions {
  // cosines[i] = magnitude * cos(position * inverse_frequency[i]), and so the sines; right to f32's
  // precision for every int32 position: the angle is formed and reduced in f64.
  // REQUIRES: |inverse_frequency[i]| <= 1024.
  void (*angles)(const float* inverse_frequency, int64_t pairs, int32_t position, float magnitude,
                 float* cosines, float* sines);

  // Rotates, in each of `heads` runs of `head_dim` values, pair i by angle i, in place:
  //   (a, b) -> (a cos - b sin, b cos + a sin),   0 <= i < pairs <= head_dim / 2.
  using Rotate = void (*)(float* x, int64_t heads, int64_t head_dim, int64_t pairs,
                          const float* cosines, const float* sines);
  Rotate halves;      // a = x[i], b = x[i + pairs]
  Rotate neighbours;  // a = x[2 i], b = x[2 i + 1]
};

// For one level; stateless, any thread.
const RopeFunctions& RopeOf(Isa isa);

}  // namespace tenon::cpu
