// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda_runtime_api.h>

#include "tenon/op.h"
#include "tenon/ops.h"

namespace tenon::attention {

// A matrix of f32 values, `stride` from row to row.
struct Rows {
  float* data;
  int64_t stride;
};

// One attention op as the kernels see it. A page is K [page_tokens, kv_heads, head_dim], then
// V [page_tokens, kv_heads, value_dim], of `kv_type`.
struct CudaLayer {
  AttentionParams params;
  Rows q, k, v, out;
  const float* sinks;  // [heads] on the card, or null
  void* pages;
  int64_t page_values;  // of one page, K and V
  int32_t page_tokens;
  DType kv_type;
};

// Stores K and V of the step's tokens, then attends. Two launches.
void LaunchAttention(const CudaLayer& layer, const Batch& batch, cudaStream_t stream);

}  // namespace tenon::attention
