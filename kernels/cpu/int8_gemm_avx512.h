// SPDX-License-Identifier: Apache-2.0
#pragma once

// GCC 12 warns about the deliberately undefined operands inside its own intrinsics (its bug
// 105593).
#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>

#include "kernels/cpu/int8_gemm_levels.h"

// What the two shapes of the AVX-512 product share: packed weights read into registers, sums
// written out. Everything is local to the file that includes it.
namespace tenon::cpu {

// The product for many tokens, with the bits of the other shape. REQUIRES: CanPackInt8(gemm.type).
void Int8GemmWideAvx512(const Int8Gemm& gemm);
// From so many tokens on it is the quicker one.
inline constexpr int64_t kInt8WideTokens = 32;

namespace {

// One block of 32 k of a panel in registers.
struct Weights {
  __m512i u[8];  // group g: 4 k of each row
  __m512 d[2];   // d[1] only with halves
  __m512 m;      // only with a minimum
};

inline __m512i LoadVector(const uint8_t* p) { return _mm512_loadu_si512(p); }

inline __m512 LoadHalves(const uint8_t* p) {
  return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}

inline __m512 LoadU8(const uint8_t* p) {
  return _mm512_cvtepi32_ps(
      _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
}

inline __m512 LoadI8(const uint8_t* p) {
  return _mm512_cvtepi32_ps(
      _mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
}

template <int kLines>
[[gnu::always_inline]] inline void Prefetch(const uint8_t* p) {
  for (int i = 0; i < kLines; ++i)
    _mm_prefetch(reinterpret_cast<const char*>(p + 64 * i), _MM_HINT_T0);
}

template <int kBits>
[[gnu::always_inline]] inline void LoadCodes(const uint8_t* codes, __m512i* u) {
  if constexpr (kBits == 8) {
    for (int g = 0; g < 8; ++g) u[g] = LoadVector(codes + 64 * g);
    return;
  }
  const __m512i low = _mm512_set1_epi8(15);
  for (int v = 0; v < 4; ++v) {
    const __m512i both = LoadVector(codes + 64 * v);
    u[v] = _mm512_and_si512(both, low);
    u[v + 4] = _mm512_and_si512(_mm512_srli_epi16(both, 4), low);
  }
  constexpr int kOrAnd = 0xf8;  // a | (b & c)
  if constexpr (kBits == 5) {
    const __m512i bit = _mm512_set1_epi8(16);
    const __m512i high = LoadVector(codes + 64 * 4);
    for (int g = 0; g < 8; ++g) {
      const __m512i at = g < 4 ? _mm512_slli_epi16(high, 4 - g) : _mm512_srli_epi16(high, g - 4);
      u[g] = _mm512_ternarylogic_epi32(u[g], at, bit, kOrAnd);
    }
  }
  if constexpr (kBits == 6) {
    const __m512i bits = _mm512_set1_epi8(48);
    for (int g = 0; g < 8; ++g) {
      const __m512i high = LoadVector(codes + 64 * (4 + g / 4));
      const int f = g % 4;
      const __m512i at = f < 3 ? _mm512_slli_epi16(high, 4 - 2 * f) : _mm512_srli_epi16(high, 2);
      u[g] = _mm512_ternarylogic_epi32(u[g], at, bits, kOrAnd);
    }
  }
}

template <DType kType>
struct PackedSource {
  static constexpr Int8Kind kKind = KindOf(kType);
  static constexpr int kAheadLines = AheadLines(kKind.bits);
  Int8Panel panel;

  [[gnu::always_inline]] inline void Load(int64_t b, Weights* w) const {
    constexpr int R = kInt8PanelRows;
    LoadCodes<kKind.bits>(panel.codes + b * CodeVectors(kKind.bits) * 4 * R, w->u);
    if constexpr (kType == DType::kQ4_K || kType == DType::kQ5_K) {
      const uint8_t* s = panel.scales + b / 8 * 20 * R;
      const uint8_t* six = s + 4 * R + b % 8 * 2 * R;
      w->d[0] = _mm512_mul_ps(LoadHalves(s), LoadU8(six));
      const __m512 m = _mm512_mul_ps(LoadHalves(s + 2 * R), LoadU8(six + R));
      w->m = _mm512_xor_ps(m, _mm512_set1_ps(-0.0f));
    } else if constexpr (kType == DType::kQ6_K) {
      const uint8_t* s = panel.scales + b / 8 * 18 * R;
      const uint8_t* sixteens = s + 2 * R + b % 8 * 2 * R;
      const __m512 d = LoadHalves(s);
      w->d[0] = _mm512_mul_ps(d, LoadI8(sixteens));
      w->d[1] = _mm512_mul_ps(d, LoadI8(sixteens + R));
    } else if constexpr (kKind.minimum) {
      w->d[0] = LoadHalves(panel.scales + b * 4 * R);
      w->m = LoadHalves(panel.scales + b * 4 * R + 2 * R);
    } else {
      w->d[0] = LoadHalves(panel.scales + b * 2 * R);
    }
  }
};

[[gnu::always_inline]] inline void Store(const Epilogue& e, int64_t token, int64_t row,
                                         __mmask16 valid, __m512 sum) {
  if (e.bias != nullptr) sum = _mm512_add_ps(sum, _mm512_maskz_loadu_ps(valid, e.bias + row));
  if (e.residual != nullptr) {
    const float* residual = e.residual + token * e.residual_stride + row;
    sum = _mm512_add_ps(sum, _mm512_maskz_loadu_ps(valid, residual));
  }
  _mm512_mask_storeu_ps(OutRow(e, token) + row, valid, sum);
}

}  // namespace
}  // namespace tenon::cpu
