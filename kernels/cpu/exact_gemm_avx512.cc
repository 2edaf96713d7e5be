// SPDX-License-Identifier: Apache-2.0
// GCC 12 warns about the deliberately undefined operands inside its own intrinsics (its bug
// 105593).
#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>

#include "kernels/cpu/exact_gemm_levels.h"

namespace tenon::cpu {
namespace {

struct Avx512 {
  using Type = __m512;
  static constexpr Isa kIsa = Isa::kAvx512;
  static constexpr int kLanes = 16;
  static constexpr int kTokens = 6;
  static Type Zero() { return _mm512_setzero_ps(); }
  static Type Load(const float* p) { return _mm512_loadu_ps(p); }
  static Type LoadPart(const float* p, int64_t n) {
    return _mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << n) - 1), p);
  }
  static Type Fma(Type a, Type b, Type c) { return _mm512_fmadd_ps(a, b, c); }
  static __m128 Quarter(Type v) {
    const __m256 half = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
    return _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
  }
  static void Sum4(const Type* v, float* sums) {
    const __m128 low = _mm_hadd_ps(Quarter(v[0]), Quarter(v[1]));
    const __m128 high = _mm_hadd_ps(Quarter(v[2]), Quarter(v[3]));
    _mm_storeu_ps(sums, _mm_hadd_ps(low, high));
  }
};

}  // namespace

void ExactGemmAvx512(const ExactGemm& gemm) { ExactGemmLevel<Avx512>(gemm); }

}  // namespace tenon::cpu
