// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <cstring>

#if defined(__F16C__)
#include <immintrin.h>
#endif

// IEEE binary16, bfloat16 and OCP FP8 E4M3 to f32 and back, one value at a time.
//
// All functions are static: a file compiled for AVX-512 gets its own copy, and none of those copies
// can be picked by the linker for a machine without it.
namespace tenon::cpu {

static inline float FloatFromBits(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

static inline uint32_t BitsFromFloat(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits;
}

static inline float Bf16ToF32(uint16_t half) {
  return FloatFromBits(static_cast<uint32_t>(half) << 16);
}

// Rounds to nearest, ties to even. A NaN stays a (quiet) NaN.
static inline uint16_t F32ToBf16(float value) {
  const uint32_t bits = BitsFromFloat(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<uint16_t>((bits >> 16) | 0x40u);
  return static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

// Exact, subnormals, infinities and NaN included.
static inline float F16ToF32(uint16_t half) {
#if defined(__F16C__)
  return _cvtsh_ss(half);
#else
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000u) << 16;
  const uint32_t rest = half & 0x7fffu;
  if (rest >= 0x7c00u) {  // infinity or NaN; vcvtph2ps too returns a NaN quiet
    const uint32_t quiet = rest > 0x7c00u ? 0x400000u : 0u;
    return FloatFromBits(sign | 0x7f800000u | quiet | ((rest & 0x3ffu) << 13));
  }
  if (rest >= 0x400u) return FloatFromBits(sign | ((rest << 13) + 0x38000000u));
  const float tiny = static_cast<float>(rest) * 0x1p-24f;
  return FloatFromBits(sign | BitsFromFloat(tiny));
#endif
}

// Rounds to nearest, ties to even; beyond 65504 (by rounding) becomes infinity. A NaN stays one.
static inline uint16_t F32ToF16(float value) {
  const uint32_t bits = BitsFromFloat(value);
  const uint32_t sign = (bits >> 16) & 0x8000u;
  const uint32_t rest = bits & 0x7fffffffu;
  if (rest > 0x7f800000u) {
    return static_cast<uint16_t>(sign | 0x7e00u | ((rest >> 13) & 0x3ffu));
  }
  if (rest >= 0x47800000u) return static_cast<uint16_t>(sign | 0x7c00u);  // 2^16 and above
  if (rest < 0x38800000u) {  // below 2^-14: the FPU rounds to a multiple of 2^-24 when 0.5 is added
    const uint32_t rounded = BitsFromFloat(FloatFromBits(rest) + 0.5f) - 0x3f000000u;
    return static_cast<uint16_t>(sign | rounded);
  }
  const uint32_t odd = (rest >> 13) & 1u;
  return static_cast<uint16_t>(sign | ((rest - 0x38000000u + 0xfffu + odd) >> 13));
}

// Sign, 4 bits of exponent (bias 7), 3 of mantissa; no infinity; 0x7f and 0xff are NaN.
static inline float F8E4M3ToF32(uint8_t code) {
  const uint32_t sign = static_cast<uint32_t>(code & 0x80u) << 24;
  const uint32_t rest = code & 0x7fu;
  if (rest == 0x7fu) return FloatFromBits(sign | 0x7fc00000u);
  if (rest >= 8u) return FloatFromBits(sign | ((rest << 20) + (120u << 23)));
  return FloatFromBits(sign | BitsFromFloat(static_cast<float>(rest) * 0x1p-9f));
}

}  // namespace tenon::cpu
