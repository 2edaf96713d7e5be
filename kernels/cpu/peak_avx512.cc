// SPDX-License-Identifier: Apache-2.0
#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>

#include "kernels/cpu/peak_levels.h"

namespace tenon::cpu {
namespace {

int32_t RunF32(int64_t rounds) {
  __m512 sums[kPeakChains];
  const __m512 x = _mm512_set1_ps(1.0f + static_cast<float>(rounds & 1));
  const __m512 half = _mm512_set1_ps(0.5f);
  for (__m512& sum : sums) sum = _mm512_setzero_ps();
  for (int64_t i = 0; i < rounds; ++i) {
#pragma GCC unroll 12
    for (__m512& sum : sums) sum = _mm512_fmadd_ps(sum, half, x);
  }
  __m512 all = sums[0];
  for (int i = 1; i < kPeakChains; ++i) all = _mm512_add_ps(all, sums[i]);
  return static_cast<int32_t>(_mm512_reduce_add_ps(all));
}

int32_t RunInt8(int64_t rounds) {
  __m512i sums[kPeakChains];
  const __m512i u = _mm512_set1_epi8(static_cast<char>(1 + (rounds & 1)));
  for (__m512i& sum : sums) sum = _mm512_setzero_si512();
  for (int64_t i = 0; i < rounds; ++i) {
#pragma GCC unroll 12
    for (__m512i& sum : sums) sum = _mm512_dpbusd_epi32(sum, u, u);
  }
  __m512i all = sums[0];
  for (int i = 1; i < kPeakChains; ++i) all = _mm512_add_epi32(all, sums[i]);
  return _mm512_reduce_add_epi32(all);
}

__attribute__((target("avx512bf16"))) int32_t RunBf16(int64_t rounds) {
  __m512 sums[kPeakChains];
  const __m512bh x = _mm512_cvtne2ps_pbh(_mm512_set1_ps(1.0f + static_cast<float>(rounds & 1)),
                                         _mm512_set1_ps(0.5f));
  for (__m512& sum : sums) sum = _mm512_setzero_ps();
  for (int64_t i = 0; i < rounds; ++i) {
#pragma GCC unroll 12
    for (__m512& sum : sums) sum = _mm512_dpbf16_ps(sum, x, x);
  }
  __m512 all = sums[0];
  for (int i = 1; i < kPeakChains; ++i) all = _mm512_add_ps(all, sums[i]);
  return _mm_cvtss_si32(_mm512_castps512_ps128(all));
}

constexpr PeakLoop kLoops[] = {{"int8", 2 * kPeakChains * 64, RunInt8},
                               {"f32", 2 * kPeakChains * 16, RunF32},
                               {"bf16", 2 * kPeakChains * 32, RunBf16}};

}  // namespace

PeakLoops PeakLoopsAvx512() { return {kLoops, HasAvx512Bf16() ? 3 : 2}; }

uint64_t ReadAllAvx512(const void* memory, int64_t bytes) {
  const uint8_t* p = static_cast<const uint8_t*>(memory);
  __m512i sums[4];
  for (__m512i& sum : sums) sum = _mm512_setzero_si512();
  for (int64_t i = 0; i < bytes; i += 256) {
    for (int j = 0; j < 4; ++j) {
      sums[j] = _mm512_add_epi64(sums[j], _mm512_loadu_si512(p + i + 64 * j));
    }
  }
  for (int j = 1; j < 4; ++j) sums[0] = _mm512_add_epi64(sums[0], sums[j]);
  return static_cast<uint64_t>(_mm512_reduce_add_epi64(sums[0]));
}

}  // namespace tenon::cpu
