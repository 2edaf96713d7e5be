// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "kernels/cpu/exact_gemm.h"
#include "plugins/quant/common/expert_order.h"
#include "plugins/quant/common/grouped_spec.h"

// Where the rows of an expert's products come from and go to.
namespace tenon::quant {

// Rows that one product takes at most; more go in several.
inline constexpr int64_t kRowsAtOnce = 256;

struct RowOffsets {
  int64_t x[kRowsAtOnce];
  int64_t out[kRowsAtOnce];
};

// From one token, and from one slot, to the next.
struct RowStrides {
  int64_t token, slot;
};

// REQUIRES: rows.size <= kRowsAtOnce.
inline void FindRows(Span<const RoutedRow> rows, RowStrides x, RowStrides out,
                     RowOffsets* offsets) {
  for (uint64_t i = 0; i < rows.size; ++i) {
    offsets->x[i] = rows[i].token * x.token + rows[i].slot * x.slot;
    offsets->out[i] = rows[i].token * out.token + rows[i].slot * out.slot;
  }
}

// Of one matrix's results, in floats.
RowStrides OutStrides(const GroupedBuffers& buffers, int64_t matrix_rows);

// Rows [row, row + count) of one expert's matrix, as it is stored.
struct ExactPart {
  DType type;
  const void* data;   // of the matrix's row 0
  int64_t row_bytes;  // from one stored row to the next
  cpu::BlockScales scales;
  const float* bias;  // [rows], or null
};
struct PartRows {
  int64_t row, count;
};

// Multiplies the rows of x with them, in f32. `scratch` as in cpu::ExactGemm.
// REQUIRES: rows.size <= kRowsAtOnce.
void MultiplyExact(cpu::Isa isa, const GroupedBuffers& buffers, const GroupedMatrix& matrix,
                   const ExactPart& part, PartRows part_rows, Span<const RoutedRow> rows,
                   float* scratch) noexcept;

// Writes zeros where a slot's number is no expert's.
void ClearUnrouted(const GroupedBuffers& buffers, Span<const GroupedMatrix> matrices,
                   const ExpertOrder& order) noexcept;

}  // namespace tenon::quant
