// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda_runtime_api.h>

#include "tenon/op.h"
#include "tenon/ops.h"

// Launches of the device's own ops. A matrix is [rows, columns] f32 with `stride` values from row
// to row.
namespace tenon::cuda {

struct Matrix {
  float* data;
  int64_t stride;
  int32_t columns;
};

void LaunchEmbed(Matrix out, const float* table, const int32_t* ids, int32_t rows, float scale,
                 cudaStream_t stream);
void LaunchRmsNorm(Matrix out, Matrix in, const float* weight, int32_t rows,
                   const RmsNormParams& params, cudaStream_t stream);
void LaunchRope(Matrix x, const float* inverse_frequency, const int32_t* positions, int32_t rows,
                const RopeParams& params, cudaStream_t stream);
void LaunchGlu(Matrix out, Matrix gate, Matrix up, int32_t rows, Activation activation,
               cudaStream_t stream);
void LaunchAdd(Matrix out, Matrix a, Matrix b, int32_t rows, cudaStream_t stream);
void LaunchSoftCap(Matrix out, Matrix in, int32_t rows, float cap, cudaStream_t stream);
void LaunchGatherRows(Matrix out, Matrix in, const int32_t* rows_of, int32_t rows,
                      cudaStream_t stream);

}  // namespace tenon::cuda
