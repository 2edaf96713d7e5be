// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "kernels/cpu/isa.h"
#include "tenon/dtype.h"

// Stored values to f32 and f32 to half types. Stateless; any thread. All levels give the same bits.
namespace tenon::cpu {

// True for F32, F16, BF16, F8_E4M3, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q4_K, Q5_K and Q6_K.
bool CanDequantize(DType type);

// out[i] = value i of `data`, for i in [0, values).
// REQUIRES: CanDequantize(type); values is a multiple of the type's block_values; `data` (any
// alignment) holds BytesOf(type, values) bytes and does not overlap `out`.
void Dequantize(Isa isa, DType type, const void* data, int64_t values, float* out);

// A Dequantize for one type and level, to call in a loop; null unless CanDequantize(type).
using DequantizeFunction = void (*)(const void* data, int64_t values, float* out);
DequantizeFunction DequantizerOf(Isa isa, DType type);

// Factors beside a stored matrix (tenon/op.h, Weight::scales): its element [r, c] stands for the
// stored value times element [r / rows, c / columns] of `data`.
struct BlockScales {
  const void* data = nullptr;  // f32, any alignment; null: there are none
  int64_t stride = 0;          // factors from one row of them to the next
  int64_t rows = 1;            // of the matrix, a factor; at least 1
  int64_t columns = 1;         // at least 1
  int64_t first_row = 0;       // what row 0 of the caller is in the matrix
};

// values[i] *= the factor of [row, first + i], for i in [0, count). REQUIRES: scales.data.
void ScaleRow(Isa isa, const BlockScales& scales, int64_t row, int64_t first, int64_t count,
              float* values);

// out[i] = in[i] rounded to nearest, ties to even. No overlap.
void ConvertToF16(Isa isa, const float* in, int64_t values, uint16_t* out);
void ConvertToBf16(Isa isa, const float* in, int64_t values, uint16_t* out);

}  // namespace tenon::cpu
