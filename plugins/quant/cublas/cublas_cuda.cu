// SPDX-License-Identifier: Apache-2.0
// What surrounds the products: one thread a value, rows along blockIdx.y; bound by memory.
#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include "plugins/quant/cublas/cublas_cuda.h"

namespace tenon::quant {
namespace {

constexpr int kThreads = 256;

dim3 Grid(int32_t columns, int32_t rows) {
  return dim3(static_cast<unsigned>((columns + kThreads - 1) / kThreads),
              static_cast<unsigned>(rows));
}

__device__ void Store(__half* to, float value) { *to = __float2half(value); }
__device__ void Store(__nv_bfloat16* to, float value) { *to = __float2bfloat16(value); }

template <typename T>
__global__ void Round(const float* from, int64_t from_stride, T* to, int32_t columns) {
  const int c = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (c < columns)
    Store(to + static_cast<int64_t>(blockIdx.y) * columns + c, from[blockIdx.y * from_stride + c]);
}

__global__ void AddBias(float* x, int64_t stride, const float* bias, int32_t columns) {
  const int c = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (c < columns) x[blockIdx.y * stride + c] += bias[c];
}

}  // namespace

void LaunchRound(const float* from, int64_t from_stride, void* to, bool bf16, int32_t rows,
                 int32_t columns, cudaStream_t stream) {
  if (bf16) {
    Round<<<Grid(columns, rows), kThreads, 0, stream>>>(from, from_stride,
                                                        static_cast<__nv_bfloat16*>(to), columns);
  } else {
    Round<<<Grid(columns, rows), kThreads, 0, stream>>>(from, from_stride, static_cast<__half*>(to),
                                                        columns);
  }
}

void LaunchAddBias(float* x, int64_t stride, const float* bias, int32_t rows, int32_t columns,
                   cudaStream_t stream) {
  AddBias<<<Grid(columns, rows), kThreads, 0, stream>>>(x, stride, bias, columns);
}

}  // namespace tenon::quant
