// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cpu/exp.h"

// Sums and maxima across the lanes of vectors, by halving, so that every level's order of additions
// is fixed. Nothing here has linkage (see exp.h).
namespace tenon::cpu {
namespace {

// x - 0 is x for every x, -0 too, so that the compiler leaves it out.
inline FloatVector Broadcast(float value) { return value - FloatVector{}; }

// a * b + c, rounded once where the level can.
inline FloatVector MultiplyAdd(FloatVector a, FloatVector b, FloatVector c) {
#if defined(__AVX512F__)
  return _mm512_fmadd_ps(a, b, c);
#elif defined(__AVX2__)
  return _mm256_fmadd_ps(a, b, c);
#else
  return a * b + c;
#endif
}

// The sum or the maximum across lanes, by halving.
template <typename Half, typename Vector>
inline Half SumHalves(Vector v) {
  Half half[2];
  std::memcpy(half, &v, sizeof(v));
  return half[0] + half[1];
}
template <typename Half, typename Vector>
inline Half MaxHalves(Vector v) {
  Half half[2];
  std::memcpy(half, &v, sizeof(v));
  return half[0] > half[1] ? half[0] : half[1];
}
inline F32x4 SumToFour(FloatVector v) {
#if defined(__AVX512F__)
  return SumHalves<F32x4>(SumHalves<F32x8>(v));
#elif defined(__AVX2__)
  return SumHalves<F32x4>(v);
#else
  return v;
#endif
}
inline float SumLanes(FloatVector v) {
  const F32x4 four = SumToFour(v);
  return (four[0] + four[2]) + (four[1] + four[3]);
}
// SumLanes of four vectors.
inline F32x4 SumLanesOfFour(const FloatVector* v) {
  const F32x4 a = SumToFour(v[0]), b = SumToFour(v[1]), c = SumToFour(v[2]), d = SumToFour(v[3]);
  const F32x4 ab =
      __builtin_shufflevector(a, b, 0, 4, 1, 5) + __builtin_shufflevector(a, b, 2, 6, 3, 7);
  const F32x4 cd =
      __builtin_shufflevector(c, d, 0, 4, 1, 5) + __builtin_shufflevector(c, d, 2, 6, 3, 7);
  return __builtin_shufflevector(ab, cd, 0, 1, 4, 5) + __builtin_shufflevector(ab, cd, 2, 3, 6, 7);
}
inline float MaxLanes(FloatVector v) {
#if defined(__AVX512F__)
  const F32x4 four = MaxHalves<F32x4>(MaxHalves<F32x8>(v));
#elif defined(__AVX2__)
  const F32x4 four = MaxHalves<F32x4>(v);
#else
  const F32x4 four = v;
#endif
  const float even = four[0] > four[2] ? four[0] : four[2];
  const float odd = four[1] > four[3] ? four[1] : four[3];
  return even > odd ? even : odd;
}

}  // namespace
}  // namespace tenon::cpu
