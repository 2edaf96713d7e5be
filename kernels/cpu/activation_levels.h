// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cpu/activation.h"
#include "kernels/cpu/exp.h"

// The one body of the element-wise kernels, compiled once a level. Bound by the exponential (about
// 20 operations a vector) for a row in cache, by memory for `add` over a large batch.
namespace tenon::cpu {

const ActivationFunctions& ActivationsGeneric();
const ActivationFunctions& ActivationsAvx2();
const ActivationFunctions& ActivationsAvx512();

namespace {

template <typename Function>
inline void MapRow(const float* a, const float* b, int64_t count, float* out, Function function) {
  int64_t i = 0;
  for (; i + kFloatLanes <= count; i += kFloatLanes) {
    StoreVector(out + i, function(LoadVector(a + i), LoadVector(b + i)));
  }
  if (i < count) {
    const int64_t rest = count - i;
    StorePart(out + i, rest, function(LoadPart(a + i, rest), LoadPart(b + i, rest)));
  }
}

inline FloatVector Silu(FloatVector x) { return x * Math::Sigmoid(x); }

inline FloatVector GeluTanh(FloatVector x) {
  // 2 sqrt(2 / pi) and that times 0.044715.
  const FloatVector twice = x * (1.59576912f + 0.0713548163f * (x * x));
  return x * Math::Sigmoid(twice);
}

inline FloatVector Gelu(FloatVector x) { return x * Math::NormalCdf(x); }

void GluSilu(const float* gate, const float* up, int64_t count, float* out) {
  MapRow(gate, up, count, out, [](FloatVector g, FloatVector u) { return Silu(g) * u; });
}

void GluGeluTanh(const float* gate, const float* up, int64_t count, float* out) {
  MapRow(gate, up, count, out, [](FloatVector g, FloatVector u) { return GeluTanh(g) * u; });
}

void GluGelu(const float* gate, const float* up, int64_t count, float* out) {
  MapRow(gate, up, count, out, [](FloatVector g, FloatVector u) { return Gelu(g) * u; });
}

void ActivateSilu(const float* x, int64_t count, float* out) {
  MapRow(x, x, count, out, [](FloatVector v, FloatVector) { return Silu(v); });
}

void ActivateGeluTanh(const float* x, int64_t count, float* out) {
  MapRow(x, x, count, out, [](FloatVector v, FloatVector) { return GeluTanh(v); });
}

void ActivateGelu(const float* x, int64_t count, float* out) {
  MapRow(x, x, count, out, [](FloatVector v, FloatVector) { return Gelu(v); });
}

void AddRows(const float* a, const float* b, int64_t count, float* out) {
  MapRow(a, b, count, out, [](FloatVector x, FloatVector y) { return x + y; });
}

void ScaleRow(const float* x, float factor, int64_t count, float* out) {
  MapRow(x, x, count, out, [factor](FloatVector v, FloatVector) { return v * factor; });
}

void SoftCapRow(const float* x, float cap, int64_t count, float* out) {
  MapRow(x, x, count, out, [cap](FloatVector v, FloatVector) { return cap * Math::Tanh(v / cap); });
}

constexpr ActivationFunctions kActivations = {GluSilu,      GluGeluTanh,      GluGelu,
                                              AddRows,      ScaleRow,         SoftCapRow,
                                              ActivateSilu, ActivateGeluTanh, ActivateGelu};

}  // namespace
}  // namespace tenon::cpu
