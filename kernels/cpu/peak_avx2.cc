// SPDX-License-Identifier: Apache-2.0
#include <immintrin.h>

#include "kernels/cpu/peak_levels.h"

namespace tenon::cpu {
namespace {

int32_t RunF32(int64_t rounds) {
  __m256 sums[kPeakChains];
  const __m256 x = _mm256_set1_ps(1.0f + static_cast<float>(rounds & 1));
  const __m256 half = _mm256_set1_ps(0.5f);
  for (__m256& sum : sums) sum = _mm256_setzero_ps();
  for (int64_t i = 0; i < rounds; ++i) {
#pragma GCC unroll 12
    for (__m256& sum : sums) sum = _mm256_fmadd_ps(sum, half, x);
  }
  __m256 all = sums[0];
  for (int i = 1; i < kPeakChains; ++i) all = _mm256_add_ps(all, sums[i]);
  return _mm_cvtss_si32(_mm256_castps256_ps128(all));
}

// 32 products of bytes, added in pairs and those in int16, as many products of small codes can be:
// vpmaddubsw and vpaddw. A chain's products depend on its last sum, so that none can leave the
// loop.
int32_t RunInt8(int64_t rounds) {
  __m256i sums[kPeakChains];
  const __m256i s = _mm256_set1_epi8(static_cast<char>(1 + (rounds & 1)));
  for (__m256i& sum : sums) sum = _mm256_setzero_si256();
  for (int64_t i = 0; i < rounds; ++i) {
#pragma GCC unroll 12
    for (__m256i& sum : sums) {
      sum = _mm256_add_epi16(_mm256_maddubs_epi16(sum, s), s);
    }
  }
  __m256i all = sums[0];
  for (int i = 1; i < kPeakChains; ++i) all = _mm256_add_epi32(all, sums[i]);
  return _mm256_cvtsi256_si32(all);
}

constexpr PeakLoop kLoops[] = {{"int8", 2 * kPeakChains * 32, RunInt8},
                               {"f32", 2 * kPeakChains * 8, RunF32}};

}  // namespace

PeakLoops PeakLoopsAvx2() { return {kLoops, 2}; }

uint64_t ReadAllAvx2(const void* memory, int64_t bytes) {
  const __m256i* p = static_cast<const __m256i*>(memory);
  __m256i sums[8];
  for (__m256i& sum : sums) sum = _mm256_setzero_si256();
  for (int64_t i = 0; i < bytes / 32; i += 8) {
    for (int j = 0; j < 8; ++j) sums[j] = _mm256_add_epi64(sums[j], _mm256_loadu_si256(p + i + j));
  }
  for (int j = 1; j < 8; ++j) sums[0] = _mm256_add_epi64(sums[0], sums[j]);
  alignas(32) uint64_t lanes[4];
  _mm256_store_si256(reinterpret_cast<__m256i*>(lanes), sums[0]);
  return lanes[0] + lanes[1] + lanes[2] + lanes[3];
}

}  // namespace tenon::cpu
