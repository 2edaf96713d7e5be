// SPDX-License-Identifier: Apache-2.0
#include <immintrin.h>

#include "kernels/cpu/exact_gemm_levels.h"

namespace tenon::cpu {
namespace {

struct Avx2 {
  using Type = __m256;
  static constexpr Isa kIsa = Isa::kAvx2;
  static constexpr int kLanes = 8;
  static constexpr int kTokens = 3;
  static Type Zero() { return _mm256_setzero_ps(); }
  static Type Load(const float* p) { return _mm256_loadu_ps(p); }
  static Type LoadPart(const float* p, int64_t n) {
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    const __m256i mask = _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n)), lane);
    return _mm256_maskload_ps(p, mask);
  }
  static Type Fma(Type a, Type b, Type c) { return _mm256_fmadd_ps(a, b, c); }
  static __m128 Half(Type v) {
    return _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  }
  static void Sum4(const Type* v, float* sums) {
    const __m128 low = _mm_hadd_ps(Half(v[0]), Half(v[1]));
    const __m128 high = _mm_hadd_ps(Half(v[2]), Half(v[3]));
    _mm_storeu_ps(sums, _mm_hadd_ps(low, high));
  }
};

}  // namespace

void ExactGemmAvx2(const ExactGemm& gemm) { ExactGemmLevel<Avx2>(gemm); }

}  // namespace tenon::cpu
