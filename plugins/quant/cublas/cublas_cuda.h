// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

namespace tenon::quant {

// to[r, c] = from[r, c] rounded to f16 or bf16; `to` is dense, `from` has from_stride values a row.
void LaunchRound(const float* from, int64_t from_stride, void* to, bool bf16, int32_t rows,
                 int32_t columns, cudaStream_t stream);

// x[r, c] += bias[c].
void LaunchAddBias(float* x, int64_t stride, const float* bias, int32_t rows, int32_t columns,
                   cudaStream_t stream);

}  // namespace tenon::quant
