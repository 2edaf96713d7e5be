// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "kernels/cpu/blocks.h"
#include "kernels/cpu/dequantize.h"

// The one body of dequantisation, which dequantize.cc, _avx2.cc and _avx512.cc each compile for
// their level: plain loops that the compiler vectorises, and F16C where the level has it.
// Everything is static.
namespace tenon::cpu {

struct DequantizeLevel {
  DequantizeFunction by_type[kDTypeCount];  // null where there is none
  void (*to_f16)(const float* in, int64_t values, uint16_t* out);
  void (*to_bf16)(const float* in, int64_t values, uint16_t* out);
  void (*scale_row)(const BlockScales& scales, int64_t row, int64_t first, int64_t count,
                    float* values);
};

const DequantizeLevel& DequantizeGeneric();
const DequantizeLevel& DequantizeAvx2();
const DequantizeLevel& DequantizeAvx512();

static void DequantizeF32(const void* data, int64_t values, float* out) {
  std::memcpy(out, data, static_cast<size_t>(values) * sizeof(float));
}

static void DequantizeF16(const void* data, int64_t values, float* out) {
  const uint8_t* in = static_cast<const uint8_t*>(data);
  int64_t i = 0;
#if defined(__F16C__)
  for (; i + 8 <= values; i += 8) {
    const __m128i half = _mm_loadu_si128(reinterpret_cast<const __m128i*>(in + 2 * i));
    _mm256_storeu_ps(out + i, _mm256_cvtph_ps(half));
  }
#endif
  for (; i < values; ++i) out[i] = LoadF16(in + 2 * i);
}

static void DequantizeBf16(const void* data, int64_t values, float* out) {
  const uint8_t* in = static_cast<const uint8_t*>(data);
  for (int64_t i = 0; i < values; ++i) {
    uint16_t half;
    std::memcpy(&half, in + 2 * i, sizeof(half));
    out[i] = Bf16ToF32(half);
  }
}

#if defined(__AVX2__)
// Eight codes, each in 16 bits. As an f16 a code has the same mantissa, and an exponent whose bias
// is 8 greater; only its NaN is none there.
static inline __m256 EightF8(__m128i codes) {
  const __m128i size = _mm_and_si128(codes, _mm_set1_epi16(0x7f));
  const __m128i half = _mm_or_si128(
      _mm_slli_epi16(size, 7), _mm_slli_epi16(_mm_andnot_si128(_mm_set1_epi16(0x7f), codes), 8));
  const __m256 y = _mm256_mul_ps(_mm256_cvtph_ps(half), _mm256_set1_ps(256.0f));
  const __m256i none = _mm256_cvtepi16_epi32(_mm_cmpeq_epi16(size, _mm_set1_epi16(0x7f)));
  const __m256 sign = _mm256_and_ps(y, _mm256_set1_ps(-0.0f));
  const __m256 nan = _mm256_or_ps(sign, _mm256_castsi256_ps(_mm256_set1_epi32(0x7fc00000)));
  return _mm256_blendv_ps(y, nan, _mm256_castsi256_ps(none));
}
#endif

static void DequantizeF8E4M3(const void* data, int64_t values, float* out) {
  const uint8_t* in = static_cast<const uint8_t*>(data);
  int64_t i = 0;
#if defined(__AVX2__)
  for (; i + 8 <= values; i += 8) {
    const __m128i codes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(in + i));
    _mm256_storeu_ps(out + i, EightF8(_mm_cvtepu8_epi16(codes)));
  }
#endif
  for (; i < values; ++i) out[i] = F8E4M3ToF32(in[i]);
}

#if defined(__AVX2__)
// y[0, 16) = d u + m.
static inline void Scale16(__m128i u, float d, float m, float* y) {
#if defined(__AVX512F__)
  const __m512 values = _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(u));
  _mm512_storeu_ps(y, _mm512_fmadd_ps(values, _mm512_set1_ps(d), _mm512_set1_ps(m)));
#else
  const __m256 low = _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(u));
  const __m256 high = _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_srli_si128(u, 8)));
  _mm256_storeu_ps(y, _mm256_fmadd_ps(low, _mm256_set1_ps(d), _mm256_set1_ps(m)));
  _mm256_storeu_ps(y + 8, _mm256_fmadd_ps(high, _mm256_set1_ps(d), _mm256_set1_ps(m)));
#endif
}

static inline __m128i Load16(const uint8_t* p) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
}

// 16 where the bit of a byte's number is set in the two bytes `high`, else 0.
static inline __m128i FifthBits(const uint8_t* high) {
  uint16_t bits;
  std::memcpy(&bits, high, sizeof(bits));
  const __m128i own = _mm_set1_epi64x(static_cast<int64_t>(0x8040201008040201u));
  const __m128i spread = _mm_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1);
  const __m128i bytes = _mm_shuffle_epi8(_mm_set1_epi16(static_cast<int16_t>(bits)), spread);
  return _mm_and_si128(_mm_cmpeq_epi8(_mm_and_si128(bytes, own), own), _mm_set1_epi8(16));
}

// A block of 32 without a detour through memory, which would stall on its narrow stores.
template <DType kType>
static inline void DequantizeBlock32(const uint8_t* b, float* y) {
  constexpr bool kMinimum = kType == DType::kQ4_1 || kType == DType::kQ5_1;
  constexpr bool kFive = kType == DType::kQ5_0 || kType == DType::kQ5_1;
  constexpr int kHeader = (kMinimum ? 4 : 2) + (kFive ? 4 : 0);
  const float d = LoadF16(b);
  if constexpr (kType == DType::kQ8_0) {
    const __m128i flip = _mm_set1_epi8(static_cast<char>(0x80));
    Scale16(_mm_xor_si128(Load16(b + 2), flip), d, -128.0f * d, y);
    Scale16(_mm_xor_si128(Load16(b + 18), flip), d, -128.0f * d, y + 16);
    return;
  }
  const float m = kMinimum ? LoadF16(b + 2) : (kFive ? -16.0f : -8.0f) * d;
  const __m128i nibbles = Load16(b + kHeader), mask = _mm_set1_epi8(15);
  __m128i low = _mm_and_si128(nibbles, mask);
  __m128i high = _mm_and_si128(_mm_srli_epi16(nibbles, 4), mask);
  if constexpr (kFive) {
    low = _mm_or_si128(low, FifthBits(b + kHeader - 4));
    high = _mm_or_si128(high, FifthBits(b + kHeader - 2));
  }
  Scale16(low, d, m, y);
  Scale16(high, d, m, y + 16);
}
#endif

template <DType kType>
static inline void DequantizeBlock(const uint8_t* block, float* y) {
  constexpr int kValues = kDTypeLayouts[static_cast<uint32_t>(kType)].block_values;
#if defined(__AVX2__)
  if constexpr (kValues == 32) return DequantizeBlock32<kType>(block, y);
#endif
  BlockCodes codes;
  UnpackBlock<kType>(block, &codes);
  for (int g = 0; g < kValues / 16; ++g) {
#if defined(__AVX2__)
    Scale16(Load16(codes.code + 16 * g), codes.d[g], codes.m[g], y + 16 * g);
#else
    for (int i = 16 * g; i < 16 * g + 16; ++i) {
      y[i] = codes.d[g] * static_cast<float>(codes.code[i]) + codes.m[g];
    }
#endif
  }
}

template <DType kType>
static void DequantizeBlocks(const void* data, int64_t values, float* out) {
  constexpr int64_t kValues = kDTypeLayouts[static_cast<uint32_t>(kType)].block_values;
  constexpr int64_t kBytes = kDTypeLayouts[static_cast<uint32_t>(kType)].block_bytes;
  const uint8_t* block = static_cast<const uint8_t*>(data);
  for (int64_t first = 0; first < values; first += kValues, block += kBytes) {
    DequantizeBlock<kType>(block, out + first);
  }
}

static void RowToF16(const float* in, int64_t values, uint16_t* out) {
  int64_t i = 0;
#if defined(__F16C__)
  for (; i + 8 <= values; i += 8) {
    const __m128i half =
        _mm256_cvtps_ph(_mm256_loadu_ps(in + i), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + i), half);
  }
#endif
  for (; i < values; ++i) out[i] = F32ToF16(in[i]);
}

static void RowToBf16(const float* in, int64_t values, uint16_t* out) {
  for (int64_t i = 0; i < values; ++i) out[i] = F32ToBf16(in[i]);
}

static void ScaleStored(const BlockScales& scales, int64_t row, int64_t first, int64_t count,
                        float* values) {
  const int64_t at = (scales.first_row + row) / scales.rows * scales.stride;
  const uint8_t* factors = static_cast<const uint8_t*>(scales.data) + at * 4;
  for (int64_t i = 0; i < count;) {
    const int64_t block = (first + i) / scales.columns;
    const int64_t end = (block + 1) * scales.columns - first;
    float factor;
    std::memcpy(&factor, factors + block * 4, sizeof(factor));
    for (const int64_t stop = end < count ? end : count; i < stop; ++i) values[i] *= factor;
  }
}

// In the order of DType.
static const DequantizeLevel kDequantizeLevel = {
    {DequantizeF32, DequantizeF16, DequantizeBf16, DequantizeF8E4M3, nullptr, nullptr,
     DequantizeBlocks<DType::kQ4_0>, DequantizeBlocks<DType::kQ4_1>, DequantizeBlocks<DType::kQ5_0>,
     DequantizeBlocks<DType::kQ5_1>, DequantizeBlocks<DType::kQ8_0>, DequantizeBlocks<DType::kQ4_K>,
     DequantizeBlocks<DType::kQ5_K>, DequantizeBlocks<DType::kQ6_K>},
    RowToF16,
    RowToBf16,
    ScaleStored};

}  // namespace tenon::cpu
