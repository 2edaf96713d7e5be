// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <immintrin.h>

#include "kernels/cpu/int8_gemm_levels.h"

// Tiles of up to 4 tokens × 16 rows, two ymm of codes a group, for the levels of 256 bits. Groups
// outside, tokens inside, so that a code vector is loaded once a tile and an activation once for
// both halves of the rows. Everything is local to the file that includes it.
//
// avx2: vpmaddubsw. Exact: codes are unsigned, activations within ±127, and as many pairs are added
// in int16 as cannot overflow: 8 of 4 bits (8 * 3810), 4 of 5 bits (4 * 7874), 2 of 6 bits (2 *
// 16002). Codes of 8 bits go as magnitudes, their signs moved to the activations, and no pair is
// added in int16 (2 * 128 * 127). Limited by the multipliers: for a token and block 16 vpmaddubsw,
// 2 vpmaddwd (16 of 8 bits) and 4 (6 with a minimum) float operations on two of them.
//
// avx2+vnni, where the file is compiled for it: vpdpbusd adds fours in int32, so that nothing can
// overflow and codes of 8 bits need one plane.
namespace tenon::cpu {

// The product for many tokens is quicker from so many on (int8_wide_avx2.h).
inline constexpr int64_t kInt8WideTokensAvx2 = 32;

namespace {

#if defined(__AVXVNNI__)
constexpr bool kVnni = true;
#else
constexpr bool kVnni = false;
#endif

inline __m256i LoadVector(const uint8_t* p) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}

inline __m256 LoadHalves(const uint8_t* p) {
  return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}

inline __m256 LoadU8(const uint8_t* p) {
  const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
  return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes));
}

inline __m256 LoadI8(const uint8_t* p) {
  const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
  return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes));
}

template <int kLines>
[[gnu::always_inline]] inline void Prefetch(const uint8_t* p) {
#pragma GCC unroll 8
  for (int i = 0; i < kLines; ++i)
    _mm_prefetch(reinterpret_cast<const char*>(p + 64 * i), _MM_HINT_T0);
}

// Codes of 8 bits are read as values with a sign, and those as two planes: magnitude and value.
template <Int8Kind kKind>
constexpr bool kSigned = kKind.bits == 8 && !kVnni;
template <Int8Kind kKind>
constexpr int kPlanes = kSigned<kKind> ? 2 : 1;

// The codes of group g of the rows of half h.
template <int kBits, int kPlane>
[[gnu::always_inline]] inline __m256i UnpackGroup(const uint8_t* codes, int g, int h) {
  if constexpr (kBits == 8) {
    const __m256i u = LoadVector(codes + 64 * g + 32 * h);
    if constexpr (kVnni) return u;
    const __m256i value = _mm256_xor_si256(u, _mm256_set1_epi8(-128));
    return kPlane == 0 ? _mm256_abs_epi8(value) : value;
  }
  const __m256i low = _mm256_set1_epi8(15);
  __m256i u = LoadVector(codes + 64 * (g % 4) + 32 * h);
  u = _mm256_and_si256(g >= 4 ? _mm256_srli_epi16(u, 4) : u, low);
  if constexpr (kBits == 5) {
    const __m256i high = LoadVector(codes + 64 * 4 + 32 * h);
    const __m256i at = g < 4 ? _mm256_slli_epi16(high, 4 - g) : _mm256_srli_epi16(high, g - 4);
    u = _mm256_or_si256(u, _mm256_and_si256(at, _mm256_set1_epi8(16)));
  }
  if constexpr (kBits == 6) {
    const __m256i high = LoadVector(codes + 64 * (4 + g / 4) + 32 * h);
    const int f = g % 4;
    const __m256i at = f < 3 ? _mm256_slli_epi16(high, 4 - 2 * f) : _mm256_srli_epi16(high, 2);
    u = _mm256_or_si256(u, _mm256_and_si256(at, _mm256_set1_epi8(48)));
  }
  return u;
}

// The scales of eight rows; d[1] only with halves, m only with a minimum.
struct Scales {
  __m256 d[2];
  __m256 m;
};

template <DType kType>
struct PackedSource {
  static constexpr Int8Kind kKind = KindOf(kType);
  static constexpr int kAheadLines = AheadLines(kKind.bits);
  Int8Panel panel;

  template <int kPlane>
  [[gnu::always_inline]] inline __m256i Group(int64_t b, int g, int h) const {
    const uint8_t* codes = panel.codes + b * CodeVectors(kKind.bits) * 4 * kInt8PanelRows;
    return UnpackGroup<kKind.bits, kPlane>(codes, g, h);
  }

  [[gnu::always_inline]] inline Scales ScalesOf(int64_t b, int h) const {
    constexpr int R = kInt8PanelRows;
    Scales out{};
    if constexpr (kType == DType::kQ4_K || kType == DType::kQ5_K) {
      const uint8_t* s = panel.scales + b / 8 * 20 * R + 16 * h;
      const uint8_t* six = panel.scales + b / 8 * 20 * R + 4 * R + b % 8 * 2 * R + 8 * h;
      out.d[0] = _mm256_mul_ps(LoadHalves(s), LoadU8(six));
      const __m256 m = _mm256_mul_ps(LoadHalves(s + 2 * R), LoadU8(six + R));
      out.m = _mm256_xor_ps(m, _mm256_set1_ps(-0.0f));
    } else if constexpr (kType == DType::kQ6_K) {
      const uint8_t* s = panel.scales + b / 8 * 18 * R;
      const uint8_t* sixteens = s + 2 * R + b % 8 * 2 * R + 8 * h;
      const __m256 d = LoadHalves(s + 16 * h);
      out.d[0] = _mm256_mul_ps(d, LoadI8(sixteens));
      out.d[1] = _mm256_mul_ps(d, LoadI8(sixteens + R));
    } else if constexpr (kKind.minimum) {
      out.d[0] = LoadHalves(panel.scales + b * 4 * R + 16 * h);
      out.m = LoadHalves(panel.scales + b * 4 * R + 2 * R + 16 * h);
    } else {
      out.d[0] = LoadHalves(panel.scales + b * 2 * R + 16 * h);
    }
    return out;
  }
};

// Keeps the compiler from turning a chain of additions into a tree, whose terms would all need
// registers.
[[gnu::always_inline]] inline __m256i Opaque(__m256i v) {
  asm("" : "+x"(v));
  return v;
}

// The i-th group to be multiplied; of 5 bits, groups that share a code vector follow each other.
constexpr int GroupAt(Int8Kind kind, int i) { return kind.bits != 5 ? i : i % 2 * 4 + i / 2; }

template <int T>
struct Sums {
  __m256i of[T][2];  // [token, half]
};

#if defined(__AVXVNNI__)
// sums += Σ u q over groups [first, first + kGroups).
template <int kGroups, typename Source, int T>
[[gnu::always_inline]] inline void AddProducts(const Source& source, int64_t b,
                                               const Int8Block* const (&x)[T], int first,
                                               Sums<T>& sums) {
#pragma GCC unroll 8
  for (int i = first; i < first + kGroups; ++i) {
    const int g = GroupAt(Source::kKind, i);
    const __m256i u0 = source.template Group<0>(b, g, 0);
    const __m256i u1 = source.template Group<0>(b, g, 1);
#pragma GCC unroll 4
    for (int t = 0; t < T; ++t) {
      const __m256i q = _mm256_set1_epi32(LoadInt32(x[t][b].q + 4 * g));
      sums.of[t][0] = _mm256_dpbusd_avx_epi32(sums.of[t][0], u0, q);
      sums.of[t][1] = _mm256_dpbusd_avx_epi32(sums.of[t][1], u1, q);
    }
  }
}
#else
// sums += Σ u q over groups [first, first + kGroups), few enough not to overflow int16.
template <int kGroups, typename Source, int T>
[[gnu::always_inline]] inline void AddPairs(const Source& source, int64_t b,
                                            const Int8Block* const (&x)[T], int first,
                                            Sums<T>& sums) {
  __m256i pairs[T][2];
#pragma GCC unroll 8
  for (int i = 0; i < kGroups; ++i) {
    const int g = GroupAt(Source::kKind, first + i);
    const __m256i u0 = source.template Group<0>(b, g, 0);
    const __m256i u1 = source.template Group<0>(b, g, 1);
#pragma GCC unroll 4
    for (int t = 0; t < T; ++t) {
      const __m256i q = _mm256_set1_epi32(LoadInt32(x[t][b].q + 4 * g));
      const __m256i p0 = _mm256_maddubs_epi16(u0, q), p1 = _mm256_maddubs_epi16(u1, q);
      pairs[t][0] = i == 0 ? p0 : Opaque(_mm256_add_epi16(pairs[t][0], p0));
      pairs[t][1] = i == 0 ? p1 : Opaque(_mm256_add_epi16(pairs[t][1], p1));
    }
  }
  const __m256i ones = _mm256_set1_epi16(1);
#pragma GCC unroll 4
  for (int t = 0; t < T; ++t) {
#pragma GCC unroll 2
    for (int h = 0; h < 2; ++h) {
      sums.of[t][h] = _mm256_add_epi32(sums.of[t][h], _mm256_madd_epi16(pairs[t][h], ones));
    }
  }
}

// sums += Σ w q of a group's values w with a sign.
template <typename Source, int T>
[[gnu::always_inline]] inline void AddSigned(const Source& source, int64_t b, int g,
                                             const Int8Block* const (&x)[T], Sums<T>& sums) {
  const __m256i ones = _mm256_set1_epi16(1);
#pragma GCC unroll 2
  for (int h = 0; h < 2; ++h) {
    const __m256i magnitude = source.template Group<0>(b, g, h);
    const __m256i value = source.template Group<1>(b, g, h);
#pragma GCC unroll 4
    for (int t = 0; t < T; ++t) {
      const __m256i q = _mm256_set1_epi32(LoadInt32(x[t][b].q + 4 * g));
      const __m256i pairs = _mm256_maddubs_epi16(magnitude, _mm256_sign_epi8(q, value));
      sums.of[t][h] = Opaque(_mm256_add_epi32(sums.of[t][h], _mm256_madd_epi16(pairs, ones)));
    }
  }
}

// sums += the products of groups [first, first + kGroups).
template <int kGroups, typename Source, int T>
[[gnu::always_inline]] inline void AddProducts(const Source& source, int64_t b,
                                               const Int8Block* const (&x)[T], int first,
                                               Sums<T>& sums) {
  constexpr int kBits = Source::kKind.bits;
  constexpr int kStep = kBits == 8 ? 1 : kBits == 6 ? 2 : kBits == 5 ? 4 : 8;
#pragma GCC unroll 8
  for (int g = first; g < first + kGroups; g += kStep) {
    if constexpr (kBits == 8) {
      AddSigned(source, b, g, x, sums);
    } else {
      AddPairs<kStep>(source, b, x, g, sums);
    }
  }
}
#endif

// acc = fma(sums, d scale, acc) and, with a minimum, fma(m, scaled_sum, acc).
template <bool kMinimum, int T>
[[gnu::always_inline]] inline void AddScaled(const Int8Block* const (&x)[T], int64_t b,
                                             const Sums<T>& sums, const Scales (&scales)[2],
                                             int which, __m256 (&acc)[T][2]) {
#pragma GCC unroll 4
  for (int t = 0; t < T; ++t) {
    const __m256 scale = _mm256_set1_ps(x[t][b].scale);
    for (int h = 0; h < 2; ++h) {
      const __m256 d = _mm256_mul_ps(scales[h].d[which], scale);
      acc[t][h] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(sums.of[t][h]), d, acc[t][h]);
      if constexpr (kMinimum) {
        const __m256 sum = _mm256_set1_ps(x[t][b].scaled_sum);
        acc[t][h] = _mm256_fmadd_ps(scales[h].m, sum, acc[t][h]);
      }
    }
  }
}

template <typename Source, int T>
[[gnu::always_inline]] inline void AddBlock(const Source& source, int64_t b,
                                            const Int8Block* const (&x)[T], __m256 (&acc)[T][2]) {
  constexpr Int8Kind kKind = Source::kKind;
  const Scales scales[2] = {source.ScalesOf(b, 0), source.ScalesOf(b, 1)};
  Sums<T> sums;
  if constexpr (kKind.halves) {
    for (int half = 0; half < 2; ++half) {
#pragma GCC unroll 4
      for (int t = 0; t < T; ++t) {
        sums.of[t][0] = sums.of[t][1] = _mm256_set1_epi32(x[t][b].offset6[half]);
      }
      AddProducts<4>(source, b, x, 4 * half, sums);
      AddScaled<false>(x, b, sums, scales, half, acc);
    }
    return;
  }
  for (int t = 0; t < T; ++t) {
    sums.of[t][0] = sums.of[t][1] = _mm256_set1_epi32(kSigned<kKind> ? 0 : StartOf<kKind>(x[t][b]));
  }
  AddProducts<8>(source, b, x, 0, sums);
  AddScaled<kKind.minimum>(x, b, sums, scales, 0, acc);
}

// All eight lanes, or those that are valid: masked accesses are many times slower on some machines.
template <bool kAll>
[[gnu::always_inline]] inline __m256 LoadRows(const float* from, __m256i valid) {
  if constexpr (kAll) return _mm256_loadu_ps(from);
  return _mm256_maskload_ps(from, valid);
}

template <bool kAll>
[[gnu::always_inline]] inline void Store(const Epilogue& e, int64_t token, int64_t row,
                                         __m256i valid, __m256 sum) {
  if (e.bias != nullptr) sum = _mm256_add_ps(sum, LoadRows<kAll>(e.bias + row, valid));
  if (e.residual != nullptr) {
    const float* residual = e.residual + token * e.residual_stride + row;
    sum = _mm256_add_ps(sum, LoadRows<kAll>(residual, valid));
  }
  float* out = OutRow(e, token) + row;
  if constexpr (kAll) return _mm256_storeu_ps(out, sum);
  _mm256_maskstore_ps(out, valid, sum);
}

// The first `rows` of eight lanes.
inline __m256i ValidLanes(int64_t rows) {
  const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(rows)), lane);
}

template <int T>
[[gnu::always_inline]] inline void StoreTile(const Epilogue& epilogue, int64_t token, int64_t row,
                                             int64_t rows, const __m256 (&acc)[T][2]) {
  const __m256i first = ValidLanes(rows), second = ValidLanes(rows - 8);
  if (rows == kInt8PanelRows) {
#pragma GCC unroll 4
    for (int t = 0; t < T; ++t) {
      Store<true>(epilogue, token + t, row, first, acc[t][0]);
      Store<true>(epilogue, token + t, row + 8, second, acc[t][1]);
    }
    return;
  }
#pragma GCC unroll 4
  for (int t = 0; t < T; ++t) {
    Store<false>(epilogue, token + t, row, first, acc[t][0]);
    Store<false>(epilogue, token + t, row + 8, second, acc[t][1]);
  }
}

// Few tokens: codes are unpacked in registers.
struct Narrow {
  static constexpr int kTile = 4;

  template <DType kType>
  using Packed = PackedSource<kType>;

  template <typename Source, int T>
  static void Tile(const Source& source, const Int8Tile& tile, const Epilogue& epilogue,
                   int64_t token, int64_t row, int64_t rows) {
    const Int8Block* x[T];
    __m256 acc[T][2];
#pragma GCC unroll 4
    for (int t = 0; t < T; ++t) {
      x[t] = tile.x[t];
      acc[t][0] = acc[t][1] = _mm256_setzero_ps();
    }
    for (int64_t b = 0; b < tile.blocks; ++b) {
      Prefetch<Source::kAheadLines>(tile.ahead + b * tile.ahead_step);
      AddBlock(source, b, x, acc);
    }
    StoreTile<T>(epilogue, token, row, rows, acc);
  }
};

}  // namespace
}  // namespace tenon::cpu
