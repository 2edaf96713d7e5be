// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "kernels/cpu/dequantize.h"
#include "kernels/cpu/exact_gemm.h"

// out[t, n] = Σ_k x[t, k] w[n, k], the body that each level compiles with its own vector V:
//   V::kIsa, V::kLanes, V::kTokens (tokens in a tile), Zero, Load, LoadPart, Fma, and Sum4, which
//   adds the lanes of four vectors into four floats.
//
// Layout: kExactPanelRows rows unpacked to f32 scratch (L2), tiles of V::kTokens tokens × 4 rows, k
// innermost with one vector accumulator a (t, n), so that the order of additions never depends on
// the tile. Limited by the loads: 4 + kTokens a kTokens * 4 FMAs; for one token by unpacking.
namespace tenon::cpu {

void ExactGemmGeneric(const ExactGemm& gemm);
void ExactGemmAvx2(const ExactGemm& gemm);
void ExactGemmAvx512(const ExactGemm& gemm);

static constexpr int64_t kExactTileRows = 4;

// kGroups * 4 rows times T tokens; row pointers beyond the last one repeat it.
template <typename V, int T, int kGroups>
static inline void ExactTile(const float* const* w, const float* const* x, int64_t k,
                             float (*sums)[4 * kGroups]) {
  constexpr int kRows = 4 * kGroups;
  typename V::Type acc[T][kRows];
  for (int t = 0; t < T; ++t) {
    for (int r = 0; r < kRows; ++r) acc[t][r] = V::Zero();
  }
  int64_t i = 0;
  for (; i + V::kLanes <= k; i += V::kLanes) {
    typename V::Type xs[T];
    for (int t = 0; t < T; ++t) xs[t] = V::Load(x[t] + i);
    for (int r = 0; r < kRows; ++r) {
      const typename V::Type ws = V::Load(w[r] + i);
      for (int t = 0; t < T; ++t) acc[t][r] = V::Fma(ws, xs[t], acc[t][r]);
    }
  }
  if (i < k) {
    typename V::Type xs[T];
    for (int t = 0; t < T; ++t) xs[t] = V::LoadPart(x[t] + i, k - i);
    for (int r = 0; r < kRows; ++r) {
      const typename V::Type ws = V::LoadPart(w[r] + i, k - i);
      for (int t = 0; t < T; ++t) acc[t][r] = V::Fma(ws, xs[t], acc[t][r]);
    }
  }
  for (int t = 0; t < T; ++t) {
    for (int g = 0; g < kGroups; ++g) V::Sum4(&acc[t][4 * g], &sums[t][4 * g]);
  }
}

static inline void ExactStore(const Epilogue& e, int64_t token, int64_t row, int64_t rows,
                              const float* sums) {
  float* out = OutRow(e, token) + row;
  for (int64_t r = 0; r < rows; ++r) {
    float value = sums[r];
    if (e.bias != nullptr) value += e.bias[row + r];
    if (e.residual != nullptr) value += e.residual[token * e.residual_stride + row + r];
    out[r] = value;
  }
}

// Rows [row, row + count) for the tokens [token, token + T); w0 is row `row`, w_stride in floats.
template <typename V, int T, int kGroups>
static inline void ExactTokens(const ExactGemm& gemm, const float* w0, int64_t w_stride,
                               int64_t row, int64_t count, int64_t token) {
  constexpr int kRows = 4 * kGroups;
  const float* x[T];
  for (int t = 0; t < T; ++t) {
    const int64_t at = token + t;
    x[t] = gemm.x + (gemm.x_offsets == nullptr ? at * gemm.x_stride : gemm.x_offsets[at]);
  }
  for (int64_t r = 0; r < count; r += kRows) {
    const int64_t here = count - r < kRows ? count - r : kRows;
    const float* w[kRows];
    for (int i = 0; i < kRows; ++i) w[i] = w0 + (r + (i < here ? i : here - 1)) * w_stride;
    float sums[T][kRows];
    ExactTile<V, T, kGroups>(w, x, gemm.k, sums);
    for (int t = 0; t < T; ++t) {
      ExactStore(gemm.epilogue, token + t, row + r, here, sums[t]);
    }
  }
}

template <typename V>
static void ExactGemmLevel(const ExactGemm& gemm) {
  const DequantizeFunction unpack = DequantizerOf(V::kIsa, gemm.type);
  const int64_t panel = gemm.tokens == 1 ? kExactPanelRows / 2 : kExactPanelRows;
  const uint8_t* stored = static_cast<const uint8_t*>(gemm.w);
  const bool scaled = gemm.scales.data != nullptr;
  const bool in_place = gemm.type == DType::kF32 && !scaled && gemm.row_bytes % 4 == 0 &&
                        reinterpret_cast<uintptr_t>(stored) % 4 == 0;
  for (int64_t row = 0; row < gemm.rows; row += panel) {
    const int64_t count = gemm.rows - row < panel ? gemm.rows - row : panel;
    const uint8_t* first = stored + row * gemm.row_bytes;
    const float* w = reinterpret_cast<const float*>(first);
    int64_t stride = gemm.row_bytes / 4;
    if (!in_place) {
      w = gemm.scratch;
      stride = (gemm.k + 15) / 16 * 16;
      for (int64_t r = 0; r < count; ++r) {
        float* values = gemm.scratch + r * stride;
        unpack(first + r * gemm.row_bytes, gemm.k, values);
        if (scaled) ScaleRow(V::kIsa, gemm.scales, row + r, 0, gemm.k, values);
      }
    }
    int64_t t = 0;
    for (; t + V::kTokens <= gemm.tokens; t += V::kTokens) {
      ExactTokens<V, V::kTokens, 1>(gemm, w, stride, row, count, t);
    }
    for (; t < gemm.tokens; ++t) ExactTokens<V, 1, 2>(gemm, w, stride, row, count, t);
  }
}

}  // namespace tenon::cpu
