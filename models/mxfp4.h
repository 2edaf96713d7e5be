// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "models/tensor_binder.h"
#include "tenon/op.h"

namespace tenon::models {

// A matrix [rows, columns] in MXFP4: blocks of 32 values of 4 bits (E2M1, the lower half of a byte
// first) that share a power of two (E8M0). OCP 2023, "Microscaling Formats (MX) Specification".
struct Mxfp4Matrix {
  Weight blocks;  // bytes [rows * columns / 32, 16]
  Weight scales;  // bytes [rows, columns / 32]
};

inline constexpr int64_t kMxfp4Block = 32;

// The rows first, first + step, … as q5_0, `count` of them, owned by the binder: the same numbers,
// since twice a value of 4 bits is an integer from -12 to 12 and half the power of two is an f16. A
// block that is not zero and whose power does not fit is told to the binder, and the result has
// data == null. REQUIRES: the matrix has the rows.
Weight UnpackMxfp4(TensorBinder& binder, const Mxfp4Matrix& matrix, int64_t first, int64_t step,
                   int64_t count);

}  // namespace tenon::models
