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

// The largest bits of each of four vectors.
inline __m128i ReduceMax4(const __m512i* v) {
  const __m512i ab =
      _mm512_max_epu32(_mm512_unpacklo_epi32(v[0], v[1]), _mm512_unpackhi_epi32(v[0], v[1]));
  const __m512i cd =
      _mm512_max_epu32(_mm512_unpacklo_epi32(v[2], v[3]), _mm512_unpackhi_epi32(v[2], v[3]));
  const __m512i all =
      _mm512_max_epu32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
  const __m256i half =
      _mm256_max_epu32(_mm512_castsi512_si256(all), _mm512_extracti64x4_epi64(all, 1));
  return _mm_max_epu32(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
}

// to[i * stride] = lanes i of a, b, c, d.
inline void StoreColumns(__m128i a, __m128i b, __m128i c, __m128i d, int32_t* to, int64_t stride) {
  const __m128i ab0 = _mm_unpacklo_epi32(a, b), ab1 = _mm_unpackhi_epi32(a, b);
  const __m128i cd0 = _mm_unpacklo_epi32(c, d), cd1 = _mm_unpackhi_epi32(c, d);
  const __m128i columns[4] = {_mm_unpacklo_epi64(ab0, cd0), _mm_unpackhi_epi64(ab0, cd0),
                              _mm_unpacklo_epi64(ab1, cd1), _mm_unpackhi_epi64(ab1, cd1)};
  for (int i = 0; i < 4; ++i) {
    _mm_store_si128(reinterpret_cast<__m128i*>(to + i * stride), columns[i]);
  }
}

// Two blocks as bytes; lane j of 16 has values 4j … 4j+3 of the first block's halves, then of the
// second's.
inline __m512i RoundTwo(const __m512* values, const float* inverse) {
  __m512i words[2];
  for (int i = 0; i < 2; ++i) {
    const __m512 factor = _mm512_set1_ps(inverse[i]);
    words[i] = _mm512_packs_epi32(_mm512_cvtps_epi32(_mm512_mul_ps(values[2 * i], factor)),
                                  _mm512_cvtps_epi32(_mm512_mul_ps(values[2 * i + 1], factor)));
  }
  return _mm512_packs_epi16(words[0], words[1]);
}

// Σq of the first block's halves, then of the second's, of what RoundTwo gave.
inline __m128i SumsOfTwo(__m512i q) {
  const __m512i fours = _mm512_dpbusd_epi32(_mm512_setzero_si512(), _mm512_set1_epi8(1), q);
  const __m256i half =
      _mm256_add_epi32(_mm512_castsi512_si256(fours), _mm512_extracti64x4_epi64(fours, 1));
  return _mm_add_epi32(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
}

// Four blocks x_step floats apart, so that what there is once a block is done in the lanes of one
// vector.
[[gnu::always_inline]] inline void QuantizeFour(const float* x, int64_t x_step, Int8Block* out,
                                                int64_t step) {
  const __m512i sign = _mm512_set1_epi32(0x7fffffff);
  __m512 values[8];
  __m512i magnitudes[4];
  for (int i = 0; i < 8; ++i) values[i] = _mm512_loadu_ps(x + i / 2 * x_step + i % 2 * 16);
  for (int i = 0; i < 4; ++i) {
    const __m512i low = _mm512_and_si512(_mm512_castps_si512(values[2 * i]), sign);
    const __m512i high = _mm512_and_si512(_mm512_castps_si512(values[2 * i + 1]), sign);
    magnitudes[i] = _mm512_max_epu32(low, high);
  }
  const __m128i largest = ReduceMax4(magnitudes);
  const __m128 a = _mm_castsi128_ps(largest);
  // Not finite, or as good as zeros: seldom, and one by one.
  const __m128i infinity = _mm_set1_epi32(0x7f800000);
  if (_mm_cmplt_epi32_mask(largest, infinity) != 15 ||
      _mm_cmp_ps_mask(a, _mm_set1_ps(kTiny), _CMP_LT_OQ) != 0) {
    for (int i = 0; i < 4; ++i) QuantizeBlock(x + i * x_step, out + i * step);
    return;
  }
  const __m128 limit = _mm_set1_ps(127.0f);
  const __m128 scale = _mm_div_ps(a, limit);
  float inverse[4];
  _mm_storeu_ps(inverse, _mm_div_ps(limit, a));
  __m128i sums[2];
  for (int i = 0; i < 4; i += 2) {
    const __m512i q = RoundTwo(values + 2 * i, inverse + i);
    sums[i / 2] = SumsOfTwo(q);
    // Lanes of 16 bytes hold four values of each half of each block: put them in order.
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    const __m512i blocks = _mm512_permutexvar_epi32(order, q);
    _mm256_store_si256(reinterpret_cast<__m256i*>(out[i * step].q), _mm512_castsi512_si256(blocks));
    _mm256_store_si256(reinterpret_cast<__m256i*>(out[(i + 1) * step].q),
                       _mm512_extracti64x4_epi64(blocks, 1));
  }
  const __m128 ab = _mm_castsi128_ps(sums[0]), cd = _mm_castsi128_ps(sums[1]);
  const __m128i first = _mm_castps_si128(_mm_shuffle_ps(ab, cd, _MM_SHUFFLE(2, 0, 2, 0)));
  const __m128i last = _mm_castps_si128(_mm_shuffle_ps(ab, cd, _MM_SHUFFLE(3, 1, 3, 1)));
  const __m128i sum = _mm_add_epi32(first, last);
  const __m128i none = _mm_setzero_si128();
  const auto minus = [none](__m128i v, int shift) {
    return _mm_sub_epi32(none, _mm_slli_epi32(v, shift));
  };
  const __m128 scaled_sum = _mm_mul_ps(scale, _mm_cvtepi32_ps(sum));
  int32_t* to = reinterpret_cast<int32_t*>(&out->scale);
  const int64_t stride = step * int64_t{sizeof(Int8Block) / sizeof(int32_t)};
  StoreColumns(_mm_castps_si128(scale), _mm_castps_si128(scaled_sum), minus(sum, 3), minus(sum, 4),
               to, stride);
  StoreColumns(minus(sum, 7), minus(first, 5), minus(last, 5), none, to + 4, stride);
}

}  // namespace

void QuantizeInt8Avx512(const float* x, int64_t k, Int8Block* out) {
  int64_t i = 0;
  for (; i + 128 <= k; i += 128, out += 4) QuantizeFour(x + i, 32, out, 1);
  for (; i < k; i += 32) QuantizeBlock(x + i, out++);
}

void QuantizeInt8ColumnAvx512(const Int8Column& column) {
  const float* x = column.x;
  Int8Block* out = column.out;
  int64_t row = 0;
  for (; row + 4 <= column.rows; row += 4) {
    QuantizeFour(x, column.x_stride, out, column.out_stride);
    x += 4 * column.x_stride;
    out += 4 * column.out_stride;
  }
  for (; row < column.rows; ++row, x += column.x_stride, out += column.out_stride) {
    QuantizeBlock(x, out);
  }
}

}  // namespace tenon::cpu
