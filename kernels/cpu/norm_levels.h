// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cpu/exp.h"
#include "kernels/cpu/norm.h"

// The one body of RMSNorm, compiled once a level. Four running sums hide the latency of the
// multiply-add; the second pass reads x from the first level of cache. Bound by L1 for one row.
namespace tenon::cpu {

RmsNormFunction RmsNormGeneric();
RmsNormFunction RmsNormAvx2();
RmsNormFunction RmsNormAvx512();

namespace {

template <typename Half, typename Vector>
inline Half AddHalves(Vector v) {
  Half half[2];
  std::memcpy(half, &v, sizeof(v));
  return half[0] + half[1];
}

inline float SumLanes(FloatVector v) {
#if defined(__AVX512F__)
  const F32x4 four = AddHalves<F32x4>(AddHalves<F32x8>(v));
#elif defined(__AVX2__)
  const F32x4 four = AddHalves<F32x4>(v);
#else
  const F32x4 four = v;
#endif
  return (four[0] + four[2]) + (four[1] + four[3]);
}

float SumOfSquares(const float* x, int64_t count) {
  constexpr int64_t kStep = 4 * kFloatLanes;
  FloatVector sum[4] = {};
  int64_t i = 0;
  for (; i + kStep <= count; i += kStep) {
    for (int s = 0; s < 4; ++s) {
      const FloatVector v = LoadVector(x + i + s * kFloatLanes);
      sum[s] += v * v;
    }
  }
  for (; i + kFloatLanes <= count; i += kFloatLanes) {
    const FloatVector v = LoadVector(x + i);
    sum[0] += v * v;
  }
  if (i < count) {
    const FloatVector v = LoadPart(x + i, count - i);
    sum[1] += v * v;
  }
  return SumLanes((sum[0] + sum[1]) + (sum[2] + sum[3]));
}

void ScaleRow(const float* x, int64_t count, const float* weight, float scale, float* out) {
  int64_t i = 0;
  for (; i + kFloatLanes <= count; i += kFloatLanes) {
    StoreVector(out + i, LoadVector(x + i) * scale * LoadVector(weight + i));
  }
  if (i < count) {
    const int64_t rest = count - i;
    StorePart(out + i, rest, LoadPart(x + i, rest) * scale * LoadPart(weight + i, rest));
  }
}

void RmsNorm(const float* x, int64_t groups, int64_t group, const float* weight, float epsilon,
             float* out) {
  const float inverse_count = 1.0f / static_cast<float>(group);
  for (int64_t g = 0; g < groups; ++g) {
    const float mean = SumOfSquares(x + g * group, group) * inverse_count;
    ScaleRow(x + g * group, group, weight, 1.0f / __builtin_sqrtf(mean + epsilon), out + g * group);
  }
}

}  // namespace
}  // namespace tenon::cpu
