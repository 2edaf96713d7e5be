// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>
#include <cstdint>

// One token's K or V of one head as int8: value = scale * code, with codes -127 to 127 and scale =
// max |value| / 127. The codes are the same at every level.
//
// All functions are static: a file compiled for AVX-512 gets its own copy, and none of those copies
// can be picked by the linker for a machine without it.
namespace tenon::cpu {

struct Int8Rounding {
  float scale;
  float inverse;

  // To the nearest code, ties to even. REQUIRES: value is among those that the scale is of.
  int8_t Code(float value) const { return static_cast<int8_t>(std::lrint(value * inverse)); }
};

// Of x[count], finite. Below 2^-100, where the inverse would overflow, all is 0.
static inline Int8Rounding Int8RoundingOf(const float* x, int32_t count) {
  float greatest = 0;
  for (int32_t i = 0; i < count; ++i) {
    const float size = std::fabs(x[i]);
    greatest = size > greatest ? size : greatest;
  }
  if (greatest < 0x1p-100f) return {0, 0};
  return {greatest / 127, 127 / greatest};
}

}  // namespace tenon::cpu
