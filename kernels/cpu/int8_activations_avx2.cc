// SPDX-License-Identifier: Apache-2.0
#include <immintrin.h>

#include "kernels/cpu/int8_activations_levels.h"

namespace tenon::cpu {
namespace {

uint32_t MaxOf(__m256i v) {
  __m128i m = _mm_max_epu32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
  m = _mm_max_epu32(m, _mm_shuffle_epi32(m, 0x4e));
  m = _mm_max_epu32(m, _mm_shuffle_epi32(m, 0xb1));
  return static_cast<uint32_t>(_mm_cvtsi128_si32(m));
}

int32_t SumOf(__m256i v) {
  __m128i s = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
  s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0x4e));
  s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0xb1));
  return _mm_cvtsi128_si32(s);
}

void QuantizeBlock(const float* x, Int8Block* out) {
  const __m256i sign = _mm256_set1_epi32(0x7fffffff);
  __m256 v[4];
  __m256i magnitude = _mm256_setzero_si256();
  for (int i = 0; i < 4; ++i) {
    v[i] = _mm256_loadu_ps(x + 8 * i);
    magnitude = _mm256_max_epu32(magnitude, _mm256_and_si256(_mm256_castps_si256(v[i]), sign));
  }
  const float inverse = BlockScale(MaxOf(magnitude), out);
  __m256i q[4] = {};
  if (inverse != 0.0f) {
    const __m256 factor = _mm256_set1_ps(inverse);
    for (int i = 0; i < 4; ++i) q[i] = _mm256_cvtps_epi32(_mm256_mul_ps(v[i], factor));
  }
  SetSums(SumOf(_mm256_add_epi32(q[0], q[1])), SumOf(_mm256_add_epi32(q[2], q[3])), out);
  // The packs work within 128-bit halves; the permutation restores the order.
  const __m256i low = _mm256_packs_epi32(q[0], q[1]);
  const __m256i high = _mm256_packs_epi32(q[2], q[3]);
  const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
  const __m256i bytes = _mm256_permutevar8x32_epi32(_mm256_packs_epi16(low, high), order);
  _mm256_store_si256(reinterpret_cast<__m256i*>(out->q), bytes);
}

}  // namespace

void QuantizeInt8Avx2(const float* x, int64_t k, Int8Block* out) {
  for (int64_t i = 0; i < k; i += 32) QuantizeBlock(x + i, out++);
}

}  // namespace tenon::cpu
