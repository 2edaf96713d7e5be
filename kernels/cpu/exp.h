// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <cstring>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

// exp, tanh and the normal distribution on vectors of f32, without a branch or a table.
//
// The vectors are the compiler's own: F32x8 is __m256, F32x16 is __m512 (either converts to the
// other), so that arithmetic is written with operators. Each width exists where the file's
// instruction set has it; FloatVector is the widest. Nothing here has linkage: a file compiled
// for AVX-512 gets its own copy, and none can be picked by the linker for a machine without it.
namespace tenon::cpu {

using F32x4 [[gnu::vector_size(16)]] = float;
using I32x4 [[gnu::vector_size(16)]] = int32_t;
#if defined(__AVX2__)
using F32x8 [[gnu::vector_size(32)]] = float;
using I32x8 [[gnu::vector_size(32)]] = int32_t;
#endif
#if defined(__AVX512F__)
using F32x16 [[gnu::vector_size(64)]] = float;
using I32x16 [[gnu::vector_size(64)]] = int32_t;
using FloatVector = F32x16;
#elif defined(__AVX2__)
using FloatVector = F32x8;
#else
using FloatVector = F32x4;
#endif
static constexpr int kFloatLanes = sizeof(FloatVector) / sizeof(float);

namespace {

// a < b ? a : b and a > b ? a : b in one instruction, which the compiler does not find by itself.
inline F32x4 Least(F32x4 a, F32x4 b) { return a < b ? a : b; }
inline F32x4 Most(F32x4 a, F32x4 b) { return a > b ? a : b; }
#if defined(__AVX2__)
inline F32x8 Least(F32x8 a, F32x8 b) { return _mm256_min_ps(a, b); }
inline F32x8 Most(F32x8 a, F32x8 b) { return _mm256_max_ps(a, b); }
#endif
#if defined(__AVX512F__)
inline F32x16 Least(F32x16 a, F32x16 b) { return _mm512_maskz_min_ps(0xffff, a, b); }
inline F32x16 Most(F32x16 a, F32x16 b) { return _mm512_maskz_max_ps(0xffff, a, b); }
#endif

// V is a vector of f32, I the vector of int32 of the same length.
template <typename V, typename I>
struct VectorMath {
  // e^x. Relative error below 1.2e-7; 0 below -86.9 (no subnormals), infinity above 88.73; NaN
  // stays NaN.
  static inline V Exp(V x) {
    const V high = V{} + 88.8f, low = V{} - 86.9f;
    const V clamped = Most(low, Least(high, x));
    // x = n ln 2 + r with |r| <= ln 2 / 2; adding 1.5 * 2^23 rounds to nearest and leaves n in the
    // low bits.
    const V shifted = clamped * 0x1.715476p+0f + 0x1.8p+23f;
    const V n = shifted - 0x1.8p+23f;
    const V r = (clamped - n * 0x1.628p-1f) - n * 0x1.90bfbep-11f;
    V q = V{} + 0x1.6d1109p-10f;
    q = q * r + 0x1.120b6ep-7f;
    q = q * r + 0x1.555520p-5f;
    q = q * r + 0x1.5554dcp-3f;
    q = q * r + 0.5f;
    const V power = (q * r) * r + r + 1.0f;
    // 2^n as 2 * 2^(n-1): n is 128 just below overflow.
    const I bits = (__builtin_bit_cast(I, shifted) + (126 - 0x4b400000)) << 23;
    const V result = power * __builtin_bit_cast(V, bits) * 2.0f;
    return x < low ? V{} : result;
  }

  // 1 / (1 + e^-x), with the relative accuracy of Exp also far below 0.
  static inline V Sigmoid(V x) { return 1.0f / (1.0f + Exp(-x)); }

  // tanh(x), relative error below 1.5e-7.
  static inline V Tanh(V x) {
    const V size = x < 0.0f ? -x : x;
    const V far = 1.0f - 2.0f / (Exp(size + size) + 1.0f);
    const V u = x * x;
    V p = V{} - 0x1.8f8de4p-8f;
    p = p * u + 0x1.58048ep-6f;
    p = p * u - 0x1.b9258ap-5f;
    p = p * u + 0x1.110e1cp-3f;
    p = p * u - 0x1.555552p-2f;
    const V near = x + x * (u * p);
    const V signed_far = x < 0.0f ? -far : far;
    return size < 0.625f ? near : signed_far;
  }

  // (1 + erf(x / sqrt 2)) / 2, relative error below 7e-7 for x > -3, 2e-6 for x > -6. The form t
  // exp(P(t) - z^2) of erfc, t = 1 / (1 + z / 2), keeps that for negative x, where 1 + erf cancels.
  static inline V NormalCdf(V x) {
    const V size = x < 0.0f ? -x : x;
    const V t = 1.0f / (1.0f + size * 0x1.6a09e6p-2f);
    V p = V{} + 0x1.7180a6p-3f;
    p = p * t - 0x1.bc6226p-1f;
    p = p * t + 0x1.94c3aap+0f;
    p = p * t - 0x1.3ce380p+0f;
    p = p * t + 0x1.630294p-2f;
    p = p * t - 0x1.b5365cp-3f;
    p = p * t + 0x1.a6cde2p-4f;
    p = p * t + 0x1.7e3822p-2f;
    p = p * t + 0x1.0004bep+0f;
    p = p * t - 0x1.43f8aap+0f;
    const V tail = 0.5f * t * Exp(p - 0.5f * size * size);
    return x < 0.0f ? tail : 1.0f - tail;
  }
};

using Math4 = VectorMath<F32x4, I32x4>;
#if defined(__AVX512F__)
using Math = VectorMath<F32x16, I32x16>;
#elif defined(__AVX2__)
using Math = VectorMath<F32x8, I32x8>;
#else
using Math = Math4;
#endif

// Unaligned loads and stores; `Part` for the first `count` lanes, 0 <= count <= kFloatLanes, the
// others read as 0.
inline FloatVector LoadVector(const float* from) {
  FloatVector v;
  std::memcpy(&v, from, sizeof(v));
  return v;
}
inline FloatVector LoadPart(const float* from, int64_t count) {
  FloatVector v{};
  std::memcpy(&v, from, static_cast<uint64_t>(count) * sizeof(float));
  return v;
}
inline void StoreVector(float* to, FloatVector v) { std::memcpy(to, &v, sizeof(v)); }
inline void StorePart(float* to, int64_t count, FloatVector v) {
  std::memcpy(to, &v, static_cast<uint64_t>(count) * sizeof(float));
}

}  // namespace
}  // namespace tenon::cpu
