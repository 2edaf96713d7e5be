// SPDX-License-Identifier: Apache-2.0
#include "models/weight_layout.h"

#include <cstddef>
#include <cstring>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "kernels/cpu/dequantize.h"

namespace tenon::models {
namespace {

const float* ScaleRow(const Weight& matrix, int64_t row) {
  return static_cast<const float*>(matrix.scales.data) + row * matrix.scales.columns;
}

// The factors of the rows from `first` on.
void SliceScales(TensorBinder& binder, const Weight& matrix, int64_t first, Weight* slice) {
  const int64_t within = first % matrix.scale_rows;
  const int64_t shared = std::gcd(within, matrix.scale_rows);
  slice->scale_rows = shared;
  slice->scales.rows = (slice->tensor.rows + shared - 1) / shared;
  if (within == 0) {
    slice->scales.data = ScaleRow(matrix, first / matrix.scale_rows);
    return;
  }
  std::vector<float> factors;
  for (int64_t row = 0; row < slice->scales.rows; ++row) {
    const float* from = ScaleRow(matrix, (first + row * shared) / matrix.scale_rows);
    factors.insert(factors.end(), from, from + matrix.scales.columns);
  }
  slice->scales.data =
      binder.Own(std::string(std::string_view(matrix.name)) + "_scale", std::move(factors))
          .tensor.data;
}

void TurnScales(TensorBinder& binder, const Weight& matrix, Weight* turned) {
  const Tensor& scales = matrix.scales;
  std::vector<float> factors;
  for (int64_t column = 0; column < scales.columns; ++column) {
    for (int64_t row = 0; row < scales.rows; ++row) {
      factors.push_back(ScaleRow(matrix, row)[column]);
    }
  }
  const Weight owned =
      binder.Own(std::string(std::string_view(matrix.name)) + "_scale", std::move(factors));
  turned->scales = {DType::kF32, owned.tensor.data, scales.columns, scales.rows};
  turned->scale_rows = matrix.scale_columns;
  turned->scale_columns = matrix.scale_rows;
}

// Element by element; `from` is a row of `size`-byte values.
void ScatterRow(const std::byte* from, int64_t columns, size_t size, int64_t first, int64_t step,
                size_t out_row_bytes, std::byte* to) {
  for (int64_t column = first; column < columns; column += step, to += out_row_bytes) {
    std::memcpy(to, from + static_cast<size_t>(column) * size, size);
  }
}

}  // namespace

Weight RowsOf(TensorBinder& binder, const Weight& matrix, int64_t first, int64_t rows) {
  if (matrix.tensor.data == nullptr) return {};
  TENON_CHECK(first >= 0 && rows > 0 && first + rows <= matrix.tensor.rows);
  Weight out = matrix;
  out.tensor.data = static_cast<const char*>(matrix.tensor.data) + first * matrix.row_bytes;
  out.tensor.rows = rows;
  if (matrix.scales.data != nullptr) SliceScales(binder, matrix, first, &out);
  return out;
}

Weight ColumnsOf(const Weight& vector, int64_t first, int64_t columns) {
  if (vector.tensor.data == nullptr) return {};
  TENON_CHECK(vector.tensor.dtype == DType::kF32 && first + columns <= vector.tensor.columns);
  Weight out = vector;
  out.tensor.data = static_cast<const float*>(vector.tensor.data) + first;
  out.tensor.columns = columns;
  out.row_bytes = columns * static_cast<int64_t>(sizeof(float));
  return out;
}

Weight Transposed(TensorBinder& binder, const Weight& matrix, int64_t first_column, int64_t step) {
  const Tensor& from = matrix.tensor;
  if (from.data == nullptr) return {};
  const bool plain = Layout(from.dtype).block_values == 1;
  const DType dtype = plain ? from.dtype : DType::kF32;
  const auto size = static_cast<size_t>(BytesOf(dtype, 1));
  const int64_t rows = (from.columns - first_column + step - 1) / step;
  const size_t row_bytes = static_cast<size_t>(from.rows) * size;
  std::vector<std::byte> bytes(static_cast<size_t>(rows) * row_bytes);
  std::vector<float> values(plain ? 0 : static_cast<size_t>(from.columns));
  for (int64_t row = 0; row < from.rows; ++row) {
    const std::byte* stored = static_cast<const std::byte*>(from.data) + row * matrix.row_bytes;
    if (!plain) {
      cpu::Dequantize(cpu::Isa::kGeneric, from.dtype, stored, from.columns, values.data());
      stored = reinterpret_cast<const std::byte*>(values.data());
    }
    ScatterRow(stored, from.columns, size, first_column, step, row_bytes,
               bytes.data() + static_cast<size_t>(row) * size);
  }
  Weight out = binder.OwnMatrix(std::string(std::string_view(matrix.name)), dtype, rows, from.rows,
                                std::move(bytes));
  if (matrix.scales.data != nullptr) {
    TENON_CHECK(first_column == 0 && step == 1);
    TurnScales(binder, matrix, &out);
  }
  return out;
}

}  // namespace tenon::models
