// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cpu/exp.h"
#include "kernels/cpu/norm.h"

// The one body of RMSNorm and of LayerNorm, compiled once a level. Four running sums hide the
// latency of the multiply-add; later passes read the row from the first level of cache. Bound by L1
// for one row. LayerNorm takes the variance in a pass of its own, since mean(z^2) - mean(z)^2
// cancels.
namespace tenon::cpu {

RmsNormFunction RmsNormGeneric();
RmsNormFunction RmsNormAvx2();
RmsNormFunction RmsNormAvx512();
LayerNormFunction LayerNormGeneric();
LayerNormFunction LayerNormAvx2();
LayerNormFunction LayerNormAvx512();

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

// Sum of term(v) over the vectors v of x; `term` gives 0 for the lanes that lie behind its end.
template <typename Term>
float SumRow(const float* x, int64_t count, Term term) {
  constexpr int64_t kStep = 4 * kFloatLanes;
  FloatVector sum[4] = {};
  int64_t i = 0;
  for (; i + kStep <= count; i += kStep) {
    for (int s = 0; s < 4; ++s) sum[s] += term(LoadVector(x + i + s * kFloatLanes), kFloatLanes);
  }
  for (; i + kFloatLanes <= count; i += kFloatLanes) {
    sum[0] += term(LoadVector(x + i), kFloatLanes);
  }
  if (i < count) sum[1] += term(LoadPart(x + i, count - i), count - i);
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
    const float squares =
        SumRow(x + g * group, group, [](FloatVector v, int64_t) { return v * v; });
    const float mean = squares * inverse_count;
    ScaleRow(x + g * group, group, weight, 1.0f / __builtin_sqrtf(mean + epsilon), out + g * group);
  }
}

// The first `count` lanes of v, the others 0.
inline FloatVector FirstLanes(FloatVector v, int64_t count) {
  FloatVector out{};
  std::memcpy(&out, &v, static_cast<uint64_t>(count) * sizeof(float));
  return out;
}

void AddRow(const float* x, const float* y, int64_t count, float* out) {
  int64_t i = 0;
  for (; i + kFloatLanes <= count; i += kFloatLanes) {
    StoreVector(out + i, LoadVector(x + i) + LoadVector(y + i));
  }
  if (i < count) {
    const int64_t rest = count - i;
    StorePart(out + i, rest, LoadPart(x + i, rest) + LoadPart(y + i, rest));
  }
}

void LayerNorm(const float* x, const float* y, int64_t count, const float* weight,
               const float* bias, float epsilon, float* out) {
  if (y != nullptr) AddRow(x, y, count, out);
  const float* z = y != nullptr ? out : x;
  const float inverse_count = 1.0f / static_cast<float>(count);
  const float mean = SumRow(z, count, [](FloatVector v, int64_t) { return v; }) * inverse_count;
  const float variance = SumRow(z, count,
                                [mean](FloatVector v, int64_t lanes) {
                                  const FloatVector d = v - mean;
                                  return lanes == kFloatLanes ? d * d : FirstLanes(d * d, lanes);
                                }) *
                         inverse_count;
  const float scale = 1.0f / __builtin_sqrtf(variance + epsilon);
  int64_t i = 0;
  for (; i + kFloatLanes <= count; i += kFloatLanes) {
    StoreVector(out + i,
                (LoadVector(z + i) - mean) * scale * LoadVector(weight + i) + LoadVector(bias + i));
  }
  if (i < count) {
    const int64_t rest = count - i;
    StorePart(out + i, rest,
              (LoadPart(z + i, rest) - mean) * scale * LoadPart(weight + i, rest) +
                  LoadPart(bias + i, rest));
  }
}

}  // namespace
}  // namespace tenon::cpu
