// SPDX-License-Identifier: Apache-2.0
// GCC 12 warns about the deliberately undefined operands inside its own intrinsics (its bug
// 105593).
#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>

#include "kernels/cpu/int8_activations_levels.h"

namespace tenon::cpu {
namespace {

void QuantizeBlock(const float* x, Int8Block* out) {
  const __m512i sign = _mm512_set1_epi32(0x7fffffff);
  const __m512 low = _mm512_loadu_ps(x), high = _mm512_loadu_ps(x + 16);
  const __m512i magnitude = _mm512_max_epu32(_mm512_and_si512(_mm512_castps_si512(low), sign),
                                             _mm512_and_si512(_mm512_castps_si512(high), sign));
  const float inverse = BlockScale(_mm512_reduce_max_epu32(magnitude), out);
  __m512i first = _mm512_setzero_si512(), last = _mm512_setzero_si512();
  if (inverse != 0.0f) {
    const __m512 factor = _mm512_set1_ps(inverse);
    first = _mm512_cvtps_epi32(_mm512_mul_ps(low, factor));
    last = _mm512_cvtps_epi32(_mm512_mul_ps(high, factor));
  }
  const __m256i q = _mm256_set_m128i(_mm512_cvtepi32_epi8(last), _mm512_cvtepi32_epi8(first));
  _mm256_store_si256(reinterpret_cast<__m256i*>(out->q), q);
  // Both sums at once: fours of bytes, then of words, each within its own half of the register.
  const __m256i ones = _mm256_set1_epi8(1);
  __m256i sums = _mm256_dpbusd_epi32(_mm256_setzero_si256(), ones, q);
  sums = _mm256_hadd_epi32(sums, sums);
  sums = _mm256_hadd_epi32(sums, sums);
  SetSums(_mm_cvtsi128_si32(_mm256_castsi256_si128(sums)),
          _mm_cvtsi128_si32(_mm256_extracti128_si256(sums, 1)), out);
}

}  // namespace

void QuantizeInt8Avx512(const float* x, int64_t k, Int8Block* out) {
  for (int64_t i = 0; i < k; i += 32) QuantizeBlock(x + i, out++);
}

}  // namespace tenon::cpu
