// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "kernels/cpu/isa.h"

// Activations as int8 in blocks of 32 with one f32 scale each: x = scale q, scale = max|x| / 127.
// The sums that a product with unsigned weight codes needs come along, as int32 and f32.
namespace tenon::cpu {

// One block of 32 values: one cache line, so that a kernel needs one address a token and block.
struct alignas(64) Int8Block {
  int8_t q[32];      // -127 … 127, rounded to nearest even
  float scale;       // 0 for a block of zeros; NaN, with q = 0, where an x is not finite
  float scaled_sum;  // scale * Σq
  // What Σ u q starts at, for codes u of which zero is 8, 16 or 128: -8 Σq, -16 Σq, -128 Σq.
  int32_t offset4, offset5, offset8;
  int32_t offset6[2];  // -32 Σq of the first and of the last 16
  int32_t unused;
};
static_assert(sizeof(Int8Block) == 64);

constexpr int64_t kInt8BlockValues = 32;

constexpr int64_t Int8Blocks(int64_t k) { return k / kInt8BlockValues; }

// Quantises one row. All levels give the same bits. REQUIRES: k is a multiple of 32.
void QuantizeInt8(Isa isa, const float* x, int64_t k, Int8Block* out);

// One block of each of several rows.
struct Int8Column {
  const float* x;
  int64_t x_stride;  // floats from one row to the next
  int64_t rows;
  Int8Block* out;
  int64_t out_stride;  // blocks
};

// With the bits of QuantizeInt8.
void QuantizeInt8Column(Isa isa, const Int8Column& column);

}  // namespace tenon::cpu
