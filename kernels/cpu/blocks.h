// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <cstring>

#include "kernels/cpu/half.h"
#include "tenon/dtype.h"

// GGUF's block types read as unsigned codes u with a scale and an offset for every 16 values: y = d
// u + m. Formats: ggml-common.h and ggml-quants.c of ggml (little endian; the tables in
// tenon/dtype.h).
//
// d u and d u + m are such short products that f32 holds d u exactly; y is therefore rounded once
// at most, and a fused multiply-add gives the same bits as a multiplication and an addition.
//
// Static, so that every instruction-set level compiles its own copy (see half.h).
namespace tenon::cpu {

// One block, unpacked. 32-value types fill the first 32 codes and the first 2 of d and m.
struct BlockCodes {
  uint8_t code[256];
  float d[16];
  float m[16];
};

static inline float LoadF16(const uint8_t* p) {
  uint16_t half;
  std::memcpy(&half, p, sizeof(half));
  return F16ToF32(half);
}

static inline uint32_t LoadU32(const uint8_t* p) {
  uint32_t word;
  std::memcpy(&word, p, sizeof(word));
  return word;
}

// 16 bytes hold values 0-15 in their low nibbles and 16-31 in their high ones.
static inline void UnpackNibbles(const uint8_t* packed, uint8_t* code) {
  for (int i = 0; i < 16; ++i) code[i] = packed[i] & 15;
  for (int i = 0; i < 16; ++i) code[16 + i] = packed[i] >> 4;
}

// Bit i of the word is the fifth bit of value i.
static inline void AddFifthBits(const uint8_t* high, uint8_t* code) {
  const uint32_t word = LoadU32(high);
  for (uint32_t i = 0; i < 32; ++i) {
    code[i] = static_cast<uint8_t>(code[i] | (((word >> i) & 1u) << 4));
  }
}

static inline void SetScale(BlockCodes* out, float d, float m) {
  out->d[0] = out->d[1] = d;
  out->m[0] = out->m[1] = m;
}

// Eight 6-bit scales and eight 6-bit minima in 12 bytes, as Q4_K and Q5_K keep them.
static inline void UnpackScales6(const uint8_t* s, uint8_t* scale, uint8_t* minimum) {
  for (int i = 0; i < 4; ++i) {
    scale[i] = s[i] & 63;
    minimum[i] = s[4 + i] & 63;
    scale[4 + i] = static_cast<uint8_t>((s[8 + i] & 15) | ((s[i] >> 6) << 4));
    minimum[4 + i] = static_cast<uint8_t>((s[8 + i] >> 4) | ((s[4 + i] >> 6) << 4));
  }
}

template <DType kType>
static inline void UnpackBlock32(const uint8_t* b, BlockCodes* out) {
  const float d = LoadF16(b);
  if constexpr (kType == DType::kQ4_0) {
    UnpackNibbles(b + 2, out->code);
    SetScale(out, d, -8.0f * d);
  } else if constexpr (kType == DType::kQ4_1) {
    UnpackNibbles(b + 4, out->code);
    SetScale(out, d, LoadF16(b + 2));
  } else if constexpr (kType == DType::kQ5_0) {
    UnpackNibbles(b + 6, out->code);
    AddFifthBits(b + 2, out->code);
    SetScale(out, d, -16.0f * d);
  } else if constexpr (kType == DType::kQ5_1) {
    UnpackNibbles(b + 8, out->code);
    AddFifthBits(b + 4, out->code);
    SetScale(out, d, LoadF16(b + 2));
  } else {
    static_assert(kType == DType::kQ8_0);
    for (int i = 0; i < 32; ++i) out->code[i] = b[2 + i] ^ 0x80;
    SetScale(out, d, -128.0f * d);
  }
}

// Q4_K (kHighBits 0) and Q5_K (kHighBits 1): 64 values share 32 bytes, sub-blocks of 32.
template <int kHighBits>
static inline void UnpackBlockK45(const uint8_t* b, BlockCodes* out) {
  uint8_t scale[8], minimum[8];
  UnpackScales6(b + 4, scale, minimum);
  const float d = LoadF16(b), dmin = LoadF16(b + 2);
  const uint8_t* high = b + 16;
  const uint8_t* low = b + 16 + 32 * kHighBits;
  for (int s = 0; s < 8; ++s) {
    uint8_t* code = out->code + 32 * s;
    const uint8_t* q = low + 32 * (s / 2);
    const int shift = 4 * (s & 1);
    for (int i = 0; i < 32; ++i) {
      uint32_t u = (q[i] >> shift) & 15u;
      if constexpr (kHighBits == 1) u |= ((high[i] >> s) & 1u) << 4;
      code[i] = static_cast<uint8_t>(u);
    }
    out->d[2 * s] = out->d[2 * s + 1] = d * scale[s];
    out->m[2 * s] = out->m[2 * s + 1] = -(dmin * minimum[s]);
  }
}

// Two halves of 128 values: 64 B of low nibbles and 32 B of high bit pairs each; sub-blocks of 16.
static inline void UnpackBlockQ6K(const uint8_t* b, BlockCodes* out) {
  const uint8_t* scale = b + 192;
  const float d = LoadF16(b + 208);
  for (int quarter = 0; quarter < 8; ++quarter) {
    const int half = quarter / 4, q = quarter % 4;
    const uint8_t* low = b + 64 * half + 32 * (q & 1);
    const uint8_t* high = b + 128 + 32 * half;
    uint8_t* code = out->code + 32 * quarter;
    for (int i = 0; i < 32; ++i) {
      code[i] = static_cast<uint8_t>(((low[i] >> (4 * (q / 2))) & 15u) |
                                     (((high[i] >> (2 * q)) & 3u) << 4));
    }
  }
  for (int g = 0; g < 16; ++g) {
    out->d[g] = d * static_cast<float>(static_cast<int8_t>(scale[g]));
    out->m[g] = -32.0f * out->d[g];
  }
}

template <DType kType>
static inline void UnpackBlock(const uint8_t* b, BlockCodes* out) {
  if constexpr (kType == DType::kQ4_K) {
    UnpackBlockK45<0>(b, out);
  } else if constexpr (kType == DType::kQ5_K) {
    UnpackBlockK45<1>(b, out);
  } else if constexpr (kType == DType::kQ6_K) {
    UnpackBlockQ6K(b, out);
  } else {
    UnpackBlock32<kType>(b, out);
  }
}

}  // namespace tenon::cpu
