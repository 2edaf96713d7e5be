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
  SetSums(_mm512_reduce_add_epi32(first), _mm512_reduce_add_epi32(last), out);
  _mm_store_si128(reinterpret_cast<__m128i*>(out->q), _mm512_cvtepi32_epi8(first));
  _mm_store_si128(reinterpret_cast<__m128i*>(out->q + 16), _mm512_cvtepi32_epi8(last));
}

}  // namespace

void QuantizeInt8Avx512(const float* x, int64_t k, Int8Block* out) {
  for (int64_t i = 0; i < k; i += 32) QuantizeBlock(x + i, out++);
}

}  // namespace tenon::cpu
