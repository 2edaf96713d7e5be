// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/int8_gemm_avx512.h"

// Tile: up to 16 tokens × 16 rows; 8 zmm of unpacked codes, one f32 accumulator a token, vpdpbusd
// with activations broadcast from memory. Limited by the 8 vpdpbusd and 2 (3 with a minimum)
// multiplications of a token and block, and as many loads; at one token by the bytes of the panel.
namespace tenon::cpu {
namespace {

// The products of one block with kCount tokens, added to acc. Tokens take turns, since the
// vpdpbusd of one of them depend on each other.
template <Int8Kind kKind, int kCount>
[[gnu::always_inline]] inline void Accumulate(const Weights& w, const Int8Block* const* x,
                                              int64_t b, __m512* acc) {
  constexpr int kSums = kKind.halves ? 2 : 1;
  __m512i sum[kSums][kCount];
#pragma GCC unroll 8
  for (int t = 0; t < kCount; ++t) {
    const Int8Block& a = x[t][b];
    if constexpr (kKind.halves) {
      sum[0][t] = _mm512_set1_epi32(a.offset6[0]);
      sum[1][t] = _mm512_set1_epi32(a.offset6[1]);
    } else {
      sum[0][t] = _mm512_set1_epi32(StartOf<kKind>(a));
    }
  }
#pragma GCC unroll 8
  for (int g = 0; g < 8; ++g) {
#pragma GCC unroll 8
    for (int t = 0; t < kCount; ++t) {
      __m512i& to = sum[kKind.halves ? g / 4 : 0][t];
      to = _mm512_dpbusd_epi32(to, w.u[g], _mm512_set1_epi32(LoadInt32(x[t][b].q + 4 * g)));
    }
  }
#pragma GCC unroll 8
  for (int t = 0; t < kCount; ++t) {
    const __m512 scale = _mm512_set1_ps(x[t][b].scale);
    for (int half = 0; half < kSums; ++half) {
      acc[t] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum[half][t]), _mm512_mul_ps(w.d[half], scale),
                               acc[t]);
    }
    if constexpr (kKind.minimum) {
      acc[t] = _mm512_fmadd_ps(w.m, _mm512_set1_ps(x[t][b].scaled_sum), acc[t]);
    }
  }
}

struct Avx512 {
  static constexpr int kTile = 16;

  template <DType kType>
  using Packed = PackedSource<kType>;

  template <typename Source, int kTokens>
  static void Tile(const Source& source, const Int8Tile& tile, const Epilogue& epilogue,
                   int64_t token, int64_t row, int64_t rows) {
    constexpr int kTurn = kTokens < 4 ? kTokens : 4;
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
      for (int t = 0; t < kTokens; t += kTurn) {
        Accumulate<Source::kKind, kTurn>(w, x + t, b, acc + t);
      }
    }
    const __mmask16 valid = static_cast<__mmask16>((1u << rows) - 1);
#pragma GCC unroll 16
    for (int t = 0; t < kTokens; ++t) Store(epilogue, token + t, row, valid, acc[t]);
  }
};

}  // namespace

void Int8GemmAvx512(const Int8Gemm& gemm) {
  if (gemm.tokens >= kInt8WideTokens && gemm.rows > kInt8PanelRows) {
    return Int8GemmWideAvx512(gemm);
  }
  Int8GemmLevel<Avx512>(gemm);
}

}  // namespace tenon::cpu
