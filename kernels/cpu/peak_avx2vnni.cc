// SPDX-License-Identifier: Apache-2.0
#include <immintrin.h>

#include "kernels/cpu/peak_levels.h"

namespace tenon::cpu {
namespace {

int32_t RunInt8(int64_t rounds) {
  __m256i sums[kPeakChains];
  const __m256i u = _mm256_set1_epi8(static_cast<char>(1 + (rounds & 1)));
  for (__m256i& sum : sums) sum = _mm256_setzero_si256();
  for (int64_t i = 0; i < rounds; ++i) {
#pragma GCC unroll 12
    for (__m256i& sum : sums) sum = _mm256_dpbusd_avx_epi32(sum, u, u);
  }
  __m256i all = sums[0];
  for (int i = 1; i < kPeakChains; ++i) all = _mm256_add_epi32(all, sums[i]);
  return _mm256_cvtsi256_si32(all);
}

}  // namespace

// The f32 loop is that of AVX2.
PeakLoops PeakLoopsAvx2Vnni() {
  static const PeakLoop kLoops[] = {{"int8", 2 * kPeakChains * 32, RunInt8},
                                    PeakLoopsAvx2().loops[1]};
  return {kLoops, 2};
}

}  // namespace tenon::cpu
