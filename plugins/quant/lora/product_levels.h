// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cpu/exp.h"
#include "plugins/quant/lora/product.h"

// out[t, n] (+)= Σ_i x[t, i] w[i, n], the body that each level compiles. Both factors of an adapter
// have one short side (its rank), so the columns are the vector: x[t, i] is broadcast, and nothing
// is added up across lanes.
//
// Layout: w in panels of 16 columns, read front to back once for every kLoraRows rows. i runs in
// kLoraStrands interleaved sums, which hide the latency of the multiply-add for one row; their
// number does not depend on the rows of a tile, so neither does the order of additions. Limited by
// reading w for one row, by the multiply-adds from kLoraRows rows on.
namespace tenon::quant {

LoraProductFunction LoraProductGeneric();
LoraProductFunction LoraProductAvx2();
LoraProductFunction LoraProductAvx512();

namespace {

using cpu::FloatVector;

constexpr int kLoraVectors = static_cast<int>(kLoraPanel) / cpu::kFloatLanes;  // a panel
#if defined(__AVX512F__)
constexpr int kLoraStrands = 4;
constexpr int kLoraRows = 6;
#elif defined(__AVX2__)
constexpr int kLoraStrands = 2;
constexpr int kLoraRows = 3;
#else
constexpr int kLoraStrands = 1;
constexpr int kLoraRows = 2;
#endif

template <int T>
struct LoraSums {
  FloatVector of[kLoraStrands][T][kLoraVectors] = {};
};

template <int T>
inline void AddTerm(const float* const* x, int64_t i, const float* w,
                    FloatVector (&sums)[T][kLoraVectors]) {
  for (int v = 0; v < kLoraVectors; ++v) {
    const FloatVector part = cpu::LoadVector(w + i * kLoraPanel + v * cpu::kFloatLanes);
    for (int t = 0; t < T; ++t) sums[t][v] += x[t][i] * part;
  }
}

// One panel for T rows; `count` of its columns exist.
template <int T>
inline void LoraTile(const LoraProduct& p, const float* const* x, float* const* out, int64_t column,
                     int64_t count) {
  const float* w = p.w + column * p.inner;
  LoraSums<T> sums;
  int64_t i = 0;
  for (; i + kLoraStrands <= p.inner; i += kLoraStrands) {
    for (int s = 0; s < kLoraStrands; ++s) AddTerm<T>(x, i + s, w, sums.of[s]);
  }
  for (; i < p.inner; ++i) AddTerm<T>(x, i, w, sums.of[0]);
  for (int t = 0; t < T; ++t) {
    for (int v = 0; v < kLoraVectors; ++v) {
      const int64_t rest = count - v * cpu::kFloatLanes;
      if (rest <= 0) break;
      const int64_t here = rest < cpu::kFloatLanes ? rest : cpu::kFloatLanes;
      float* to = out[t] + column + v * cpu::kFloatLanes;
      FloatVector sum = sums.of[0][t][v];
      for (int s = 1; s < kLoraStrands; ++s) sum += sums.of[s][t][v];
      if (p.add) sum += cpu::LoadPart(to, here);
      cpu::StorePart(to, here, sum);
    }
  }
}

void RunLoraProduct(const LoraProduct& p) {
  for (int64_t column = 0; column < p.columns; column += kLoraPanel) {
    const int64_t rest = p.columns - column;
    const int64_t count = rest < kLoraPanel ? rest : kLoraPanel;
    int64_t t = 0;
    for (; t + kLoraRows <= p.rows; t += kLoraRows) {
      LoraTile<kLoraRows>(p, p.x + t, p.out + t, column, count);
    }
    for (; t < p.rows; ++t) LoraTile<1>(p, p.x + t, p.out + t, column, count);
  }
}

}  // namespace
}  // namespace tenon::quant
