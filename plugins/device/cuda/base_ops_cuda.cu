// SPDX-License-Identifier: Apache-2.0
// The device's own ops on CUDA. All are bound by memory: each value is read and written once, one
// block (norms) or one thread a value (the rest), rows along blockIdx.y.
#include "plugins/device/cuda/base_ops_cuda.h"

namespace tenon::cuda {
namespace {

constexpr int kThreads = 256;

dim3 Grid(int32_t columns, int32_t rows) {
  return dim3(static_cast<unsigned>((columns + kThreads - 1) / kThreads),
              static_cast<unsigned>(rows));
}

__global__ void Embed(Matrix out, const float* table, const int32_t* ids, float scale) {
  const int c = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (c >= out.columns) return;
  out.data[blockIdx.y * out.stride + c] =
      scale * table[static_cast<int64_t>(ids[blockIdx.y]) * out.columns + c];
}

// One block a group of columns: the sum of squares in shared memory, then the scaled values.
__global__ void RmsNorm(Matrix out, Matrix in, const float* weight, RmsNormParams params) {
  __shared__ float sums[kThreads / 32];
  const int64_t first = static_cast<int64_t>(blockIdx.x) * params.group;
  const float* x = in.data + blockIdx.y * in.stride + first;
  float* y = out.data + blockIdx.y * out.stride + first;
  float sum = 0;
  for (int c = static_cast<int>(threadIdx.x); c < params.group; c += kThreads) sum += x[c] * x[c];
  for (int lane = 16; lane > 0; lane /= 2) sum += __shfl_xor_sync(0xffffffffU, sum, lane);
  if (threadIdx.x % 32 == 0) sums[threadIdx.x / 32] = sum;
  __syncthreads();
  sum = 0;
  for (const float part : sums) sum += part;
  const float factor = 1.0F / sqrtf(sum / static_cast<float>(params.group) + params.epsilon);
  for (int c = static_cast<int>(threadIdx.x); c < params.group; c += kThreads) {
    y[c] = x[c] * factor * (weight[c] + params.weight_offset);
  }
}

// One thread a pair. The angle is reduced in double: positions reach a million.
__global__ void Rope(Matrix x, const float* inverse_frequency, const int32_t* positions,
                     RopeParams params) {
  const int half = params.rotary_dim / 2;
  const int pair = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (pair >= params.heads * half) return;
  const int head = pair / half;
  const int i = pair % half;
  const bool halves = params.pairs == RopePairs::kHalves;
  float* row = x.data + blockIdx.y * x.stride + static_cast<int64_t>(head) * params.head_dim;
  float& a = row[halves ? i : 2 * i];
  float& b = row[halves ? i + half : 2 * i + 1];
  double sine = 0;
  double cosine = 0;
  sincos(static_cast<double>(positions[blockIdx.y]) * static_cast<double>(inverse_frequency[i]),
         &sine, &cosine);
  const float s = static_cast<float>(sine) * params.magnitude;
  const float c = static_cast<float>(cosine) * params.magnitude;
  const float a0 = a;
  const float b0 = b;
  a = a0 * c - b0 * s;
  b = b0 * c + a0 * s;
}

__device__ float Activate(float x, Activation activation) {
  switch (activation) {
    case Activation::kSilu:
      return x / (1.0F + expf(-x));
    case Activation::kGeluTanh: {
      const float inner = 0.7978845608028654F * (x + 0.044715F * x * x * x);
      return 0.5F * x * (1.0F + tanhf(inner));
    }
    default:
      return 0.5F * x * (1.0F + erff(x * 0.7071067811865476F));
  }
}

__global__ void Glu(Matrix out, Matrix gate, Matrix up, Activation activation) {
  const int c = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (c >= out.columns) return;
  out.data[blockIdx.y * out.stride + c] =
      Activate(gate.data[blockIdx.y * gate.stride + c], activation) *
      up.data[blockIdx.y * up.stride + c];
}

__global__ void Add(Matrix out, Matrix a, Matrix b) {
  const int c = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (c >= out.columns) return;
  out.data[blockIdx.y * out.stride + c] =
      a.data[blockIdx.y * a.stride + c] + b.data[blockIdx.y * b.stride + c];
}

__global__ void SoftCap(Matrix out, Matrix in, float cap) {
  const int c = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (c >= out.columns) return;
  out.data[blockIdx.y * out.stride + c] = cap * tanhf(in.data[blockIdx.y * in.stride + c] / cap);
}

__global__ void GatherRows(Matrix out, Matrix in, const int32_t* rows_of) {
  const int c = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (c >= out.columns) return;
  out.data[blockIdx.y * out.stride + c] = in.data[rows_of[blockIdx.y] * in.stride + c];
}

}  // namespace

void LaunchEmbed(Matrix out, const float* table, const int32_t* ids, int32_t rows, float scale,
                 cudaStream_t stream) {
  Embed<<<Grid(out.columns, rows), kThreads, 0, stream>>>(out, table, ids, scale);
}

void LaunchRmsNorm(Matrix out, Matrix in, const float* weight, int32_t rows,
                   const RmsNormParams& params, cudaStream_t stream) {
  const dim3 grid(static_cast<unsigned>(in.columns / params.group), static_cast<unsigned>(rows));
  RmsNorm<<<grid, kThreads, 0, stream>>>(out, in, weight, params);
}

void LaunchRope(Matrix x, const float* inverse_frequency, const int32_t* positions, int32_t rows,
                const RopeParams& params, cudaStream_t stream) {
  Rope<<<Grid(params.heads * params.rotary_dim / 2, rows), kThreads, 0, stream>>>(
      x, inverse_frequency, positions, params);
}

void LaunchGlu(Matrix out, Matrix gate, Matrix up, int32_t rows, Activation activation,
               cudaStream_t stream) {
  Glu<<<Grid(out.columns, rows), kThreads, 0, stream>>>(out, gate, up, activation);
}

void LaunchAdd(Matrix out, Matrix a, Matrix b, int32_t rows, cudaStream_t stream) {
  Add<<<Grid(out.columns, rows), kThreads, 0, stream>>>(out, a, b);
}

void LaunchSoftCap(Matrix out, Matrix in, int32_t rows, float cap, cudaStream_t stream) {
  SoftCap<<<Grid(out.columns, rows), kThreads, 0, stream>>>(out, in, cap);
}

void LaunchGatherRows(Matrix out, Matrix in, const int32_t* rows_of, int32_t rows,
                      cudaStream_t stream) {
  GatherRows<<<Grid(out.columns, rows), kThreads, 0, stream>>>(out, in, rows_of);
}

}  // namespace tenon::cuda
