// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "models/tensor_binder.h"
#include "tenon/op.h"

// Parts of stored matrices as matrices of their own. All keep the name; where data == null, so is
// the result's. What has to be computed or copied is owned by the binder.
namespace tenon::models {

// Rows [first, first + rows) as a view. Factors beside the matrix come along, in blocks of fewer
// rows where the slice begins inside one. REQUIRES: the matrix has them.
Weight RowsOf(TensorBinder& binder, const Weight& matrix, int64_t first, int64_t rows);

// Columns [first, first + columns) of a vector of f32, as a view. REQUIRES: the vector has them.
Weight ColumnsOf(const Weight& vector, int64_t first, int64_t columns);

// A copy of the columns first_column, first_column + step, … as rows, [their number, matrix rows].
// Plain types stay as they are, with their factors turned too; block types become f32.
// REQUIRES: first_column < columns; step is 1 where there are factors.
Weight Transposed(TensorBinder& binder, const Weight& matrix, int64_t first_column = 0,
                  int64_t step = 1);

}  // namespace tenon::models
