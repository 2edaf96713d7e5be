// SPDX-License-Identifier: Apache-2.0
#include "plugins/quant/common/grouped_rows.h"

#include <cstring>

namespace tenon::quant {

RowStrides OutStrides(const GroupedBuffers& buffers, int64_t matrix_rows) {
  return {buffers.out.row_bytes / int64_t{sizeof(float)}, matrix_rows};
}

void MultiplyExact(cpu::Isa isa, const GroupedBuffers& buffers, const GroupedMatrix& matrix,
                   const ExactPart& part, PartRows part_rows, Span<const RoutedRow> rows,
                   float* scratch) noexcept {
  RowOffsets offsets;
  const RowStrides x{buffers.x.row_bytes / int64_t{sizeof(float)},
                     buffers.input_by_slot ? buffers.k : 0};
  FindRows(rows, x, OutStrides(buffers, matrix.rows), &offsets);
  cpu::ExactGemm gemm{};
  gemm.x = static_cast<const float*>(buffers.x.data);
  gemm.x_offsets = offsets.x;
  gemm.tokens = static_cast<int64_t>(rows.size);
  gemm.type = part.type;
  gemm.w = static_cast<const uint8_t*>(part.data) + part_rows.row * part.row_bytes;
  gemm.row_bytes = part.row_bytes;
  gemm.rows = part_rows.count;
  gemm.k = buffers.k;
  gemm.epilogue.out = static_cast<float*>(buffers.out.data) + matrix.first_column + part_rows.row;
  gemm.epilogue.out_offsets = offsets.out;
  gemm.epilogue.bias = part.bias == nullptr ? nullptr : part.bias + part_rows.row;
  gemm.scratch = scratch;
  gemm.scales = part.scales;
  gemm.scales.first_row = part_rows.row;
  cpu::RunExactGemm(isa, gemm);
}

void ClearUnrouted(const GroupedBuffers& buffers, Span<const GroupedMatrix> matrices,
                   const ExpertOrder& order) noexcept {
  for (const RoutedRow& row : order.Of(buffers.experts)) {
    for (const GroupedMatrix& matrix : matrices) {
      const RowStrides strides = OutStrides(buffers, matrix.rows);
      float* out = static_cast<float*>(buffers.out.data) + matrix.first_column +
                   row.token * strides.token + row.slot * strides.slot;
      std::memset(out, 0, static_cast<size_t>(matrix.rows) * sizeof(float));
    }
  }
}

}  // namespace tenon::quant
