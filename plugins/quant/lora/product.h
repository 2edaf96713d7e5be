// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "kernels/cpu/isa.h"

namespace tenon::quant {

// Columns of a panel of LoraProduct::w.
inline constexpr int64_t kLoraPanel = 16;

// Floats of a packed matrix [inner, columns].
constexpr int64_t LoraPackedFloats(int64_t inner, int64_t columns) {
  return (columns + kLoraPanel - 1) / kLoraPanel * kLoraPanel * inner;
}

// Where element [i, column] of a packed matrix lies.
constexpr int64_t LoraPackedIndex(int64_t inner, int64_t i, int64_t column) {
  return (column / kLoraPanel * inner + i) * kLoraPanel + column % kLoraPanel;
}

// out[t] (+)= x[t] · w for rows that may lie anywhere, as those of one adapter in a batch do.
struct LoraProduct {
  const float* const* x;  // [rows], each [inner]
  float* const* out;      // [rows], each [columns]; none overlaps an x
  int64_t rows;
  const float* w;  // packed: [⌈columns / kLoraPanel⌉, inner, kLoraPanel], aligned to 64 bytes
  int64_t inner;
  int64_t columns;
  bool add;  // to what out holds
};

// The value of a row depends on its x, w and the level alone, bit for bit. Allocates nothing; any
// thread.
using LoraProductFunction = void (*)(const LoraProduct& product);
LoraProductFunction LoraProductOf(cpu::Isa isa);

}  // namespace tenon::quant
