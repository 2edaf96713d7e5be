// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <cstring>

// exp of four floats at a time, in the vector types of gcc and clang. Baseline instructions and no
// fused multiply-add, so that every x86-64 machine draws the same tokens from the same logits.
namespace tenon::decoding {

using Float4 = float __attribute__((vector_size(16)));
using Int4 = int32_t __attribute__((vector_size(16)));

inline Float4 Load4(const float* x) {
  Float4 out;
  std::memcpy(&out, x, sizeof(out));
  return out;
}

inline Float4 Fill4(float x) { return Float4{x, x, x, x}; }

// `x` where the mask is -1, 0 where it is 0.
inline Float4 Where(Int4 mask, Float4 x) { return (Float4)((Int4)x & mask); }

// exp(d) for d <= 0, within 2e-7 of it relatively; 0 below -87 and for NaN. Cody and Waite's
// reduction to |r| <= ln 2 / 2, then Taylor's series.
inline Float4 Exp4(Float4 d) {
  const Float4 round = Fill4(12582912.0f);  // 1.5 * 2^23: adding it rounds to an integer
  const Int4 in_range = d > Fill4(-87.0f);
  const Float4 x = Where(in_range, d);
  const Float4 n = (x * 1.44269504f + round) - round;
  const Float4 r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  Float4 y = r * (1.0f / 5040) + 1.0f / 720;
  y = y * r + 1.0f / 120;
  y = y * r + 1.0f / 24;
  y = y * r + 1.0f / 6;
  y = y * r + 0.5f;
  y = y * r + 1.0f;
  y = y * r + 1.0f;
  const Int4 exponent = __builtin_convertvector(n, Int4);
  const Float4 scale = (Float4)((exponent + 127) << 23);
  return Where(in_range, y * scale);
}

}  // namespace tenon::decoding
