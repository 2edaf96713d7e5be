// SPDX-License-Identifier: Apache-2.0
// GCC 12 warns about the deliberately undefined operands inside its own intrinsics (its bug
// 105593).
#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>

#include "kernels/cpu/int8_gemm_levels.h"

// Tile: up to 16 tokens × 16 rows; 8 zmm of unpacked codes, one f32 accumulator a token, vpdpbusd
// with activations broadcast from memory. Limited by the 8 vpdpbusd and 3 (4 with a minimum) float
// operations of a token and block; at one token by the bytes of the panel.
namespace tenon::cpu {
namespace {

// One block of 32 k of a panel in registers.
struct Weights {
  __m512i u[8];  // group g: 4 k of each row
  __m512 d[2];   // d[1] only with halves
  __m512 m;      // only with a minimum
};

__m512i LoadVector(const uint8_t* p) { return _mm512_loadu_si512(p); }

__m512 LoadHalves(const uint8_t* p) {
  return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}

__m512 LoadU8(const uint8_t* p) {
  return _mm512_cvtepi32_ps(
      _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
}

__m512 LoadI8(const uint8_t* p) {
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

// Σ u q over groups [first, last) added to `sum`.
[[gnu::always_inline]] inline __m512i Dot(const __m512i* u, const int8_t* q, int first, int last,
                                          __m512i sum) {
  for (int g = first; g < last; ++g) {
    sum = _mm512_dpbusd_epi32(sum, u[g], _mm512_set1_epi32(LoadInt32(q + 4 * g)));
  }
  return sum;
}

template <Int8Kind kKind>
[[gnu::always_inline]] inline __m512 Accumulate(const Weights& w, const Int8Block& a, __m512 acc) {
  const __m512 scale = _mm512_set1_ps(a.scale);
  if constexpr (kKind.halves) {
    __m512i first = _mm512_set1_epi32(a.offset6[0]);
    __m512i last = _mm512_set1_epi32(a.offset6[1]);
    first = Dot(w.u, a.q, 0, 4, first);
    last = Dot(w.u, a.q, 4, 8, last);
    acc = _mm512_fmadd_ps(_mm512_cvtepi32_ps(first), _mm512_mul_ps(w.d[0], scale), acc);
    return _mm512_fmadd_ps(_mm512_cvtepi32_ps(last), _mm512_mul_ps(w.d[1], scale), acc);
  } else {
    const __m512i sum = Dot(w.u, a.q, 0, 8, _mm512_set1_epi32(StartOf<kKind>(a)));
    acc = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum), _mm512_mul_ps(w.d[0], scale), acc);
    if constexpr (kKind.minimum) {
      acc = _mm512_fmadd_ps(w.m, _mm512_set1_ps(a.scaled_sum), acc);
    }
    return acc;
  }
}

[[gnu::always_inline]] inline void Store(const Epilogue& e, int64_t token, int64_t row,
                                         __mmask16 valid, __m512 sum) {
  if (e.bias != nullptr) sum = _mm512_add_ps(sum, _mm512_maskz_loadu_ps(valid, e.bias + row));
  if (e.residual != nullptr) {
    const float* residual = e.residual + token * e.residual_stride + row;
    sum = _mm512_add_ps(sum, _mm512_maskz_loadu_ps(valid, residual));
  }
  _mm512_mask_storeu_ps(OutRow(e, token) + row, valid, sum);
}

struct Avx512 {
  static constexpr int kTile = 16;

  template <DType kType>
  using Packed = PackedSource<kType>;

  template <typename Source, int kTokens>
  static void Tile(const Source& source, const Int8Tile& tile, const Epilogue& epilogue,
                   int64_t token, int64_t row, int64_t rows) {
    const Int8Block* x[kTokens];
    __m512 acc[kTokens];
#pragma GCC unroll 16
    for (int t = 0; t < kTokens; ++t) {
      x[t] = tile.x[t];
      acc[t] = _mm512_setzero_ps();
    }
    for (int64_t b = 0; b < tile.blocks; ++b) {
      Weights w;
      source.Load(b, &w);
      Prefetch<Source::kAheadLines>(tile.ahead + b * tile.ahead_step);
#pragma GCC unroll 16
      for (int t = 0; t < kTokens; ++t) acc[t] = Accumulate<Source::kKind>(w, x[t][b], acc[t]);
    }
    const __mmask16 valid = static_cast<__mmask16>((1u << rows) - 1);
#pragma GCC unroll 16
    for (int t = 0; t < kTokens; ++t) Store(epilogue, token + t, row, valid, acc[t]);
  }
};

}  // namespace

void Int8GemmAvx512(const Int8Gemm& gemm) { Int8GemmLevel<Avx512>(gemm); }

}  // namespace tenon::cpu
