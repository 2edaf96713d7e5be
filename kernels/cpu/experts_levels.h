// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cpu/exp.h"
#include "kernels/cpu/experts.h"

// The one body of these kernels, compiled once a level. The sum keeps a vector of the row in a
// register over all terms, so that each y is read once and nothing is written in between: bound by
// those loads. The glu is bound by its exponential.
namespace tenon::cpu {

const ExpertFunctions& ExpertsGeneric();
const ExpertFunctions& ExpertsAvx2();
const ExpertFunctions& ExpertsAvx512();

namespace {

inline FloatVector ClampedGluOf(FloatVector gate, FloatVector up, float alpha, float limit) {
  const FloatVector high = FloatVector{} + limit;
  const FloatVector g = gate > high ? high : gate;
  FloatVector u = up > high ? high : up;
  u = u < -high ? -high : u;
  return (u + 1.0f) * (g * Math::Sigmoid(alpha * g));
}

void ClampedGluRow(const float* gate, const float* up, float alpha, float limit, int64_t count,
                   float* out) {
  int64_t i = 0;
  for (; i + kFloatLanes <= count; i += kFloatLanes) {
    StoreVector(out + i, ClampedGluOf(LoadVector(gate + i), LoadVector(up + i), alpha, limit));
  }
  if (i < count) {
    const int64_t rest = count - i;
    StorePart(out + i, rest,
              ClampedGluOf(LoadPart(gate + i, rest), LoadPart(up + i, rest), alpha, limit));
  }
}

template <typename Load>
inline FloatVector SumOfTerms(const float* y, int64_t stride, const float* weights, int64_t terms,
                              Load load) {
  FloatVector sum{};
  for (int64_t j = 0; j < terms; ++j) sum += weights[j] * load(y + j * stride);
  return sum;
}

void WeightedSumRow(const float* y, int64_t stride, const float* weights, int64_t terms,
                    const float* base, int64_t count, float* out) {
  int64_t i = 0;
  for (; i + kFloatLanes <= count; i += kFloatLanes) {
    FloatVector sum = SumOfTerms(y + i, stride, weights, terms, LoadVector);
    if (base != nullptr) sum += LoadVector(base + i);
    StoreVector(out + i, sum);
  }
  if (i < count) {
    const int64_t rest = count - i;
    FloatVector sum = SumOfTerms(y + i, stride, weights, terms,
                                 [rest](const float* from) { return LoadPart(from, rest); });
    if (base != nullptr) sum += LoadPart(base + i, rest);
    StorePart(out + i, rest, sum);
  }
}

constexpr ExpertFunctions kExperts = {ClampedGluRow, WeightedSumRow};

}  // namespace
}  // namespace tenon::cpu
