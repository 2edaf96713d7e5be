// SPDX-License-Identifier: Apache-2.0
// out = softmax(scale q·k) v over the slots that a token may see, one block a (token, head): warps
// take slots in turn, each lane some of the dimensions; every warp keeps a running maximum, sum and
// value row (online softmax, Milakov & Gimelshein 2018), merged at the end in the order of the
// warps. Reads K and V once a query head, so it is bound by memory at long contexts; it is here to
// be right.
#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include "plugins/attention/cuda/attention_cuda.h"

namespace tenon::attention {
namespace {

constexpr int kWarps = 4;
constexpr int kMaxDimPerLane = 16;  // value_dim up to 512

__device__ float Load(const float* p) { return *p; }
__device__ float Load(const __half* p) { return __half2float(*p); }
__device__ float Load(const __nv_bfloat16* p) { return __bfloat162float(*p); }
__device__ void Store(float* p, float v) { *p = v; }
__device__ void Store(__half* p, float v) { *p = __float2half(v); }
__device__ void Store(__nv_bfloat16* p, float v) { *p = __float2bfloat16(v); }

__device__ float WarpSum(float value) {
  for (int lane = 16; lane > 0; lane /= 2) value += __shfl_xor_sync(0xffffffffU, value, lane);
  return value;
}

template <typename T>
__device__ T* PageOf(const CudaLayer& layer, const Batch& batch, const SequenceSpan& span,
                     int slot) {
  const int page = batch.block_tables[span.first_block + slot / layer.page_tokens];
  return static_cast<T*>(layer.pages) + page * layer.page_values;
}

// blockIdx.x: token; threads: the columns of K, then of V.
template <typename T>
__global__ void Append(CudaLayer layer, Batch batch) {
  const int token = static_cast<int>(blockIdx.x);
  const SequenceSpan span = batch.spans[batch.token_sequence[token]];
  const int slot = span.context + token - span.first_token;
  const int in_page = slot % layer.page_tokens;
  const int k_columns = layer.params.kv_heads * layer.params.head_dim;
  const int v_columns = layer.params.kv_heads * layer.params.value_dim;
  T* k = PageOf<T>(layer, batch, span, slot) + static_cast<int64_t>(in_page) * k_columns;
  T* v = PageOf<T>(layer, batch, span, slot) + static_cast<int64_t>(layer.page_tokens) * k_columns +
         static_cast<int64_t>(in_page) * v_columns;
  for (int c = static_cast<int>(threadIdx.x); c < k_columns; c += static_cast<int>(blockDim.x)) {
    Store(k + c, layer.k.data[token * layer.k.stride + c]);
  }
  for (int c = static_cast<int>(threadIdx.x); c < v_columns; c += static_cast<int>(blockDim.x)) {
    Store(v + c, layer.v.data[token * layer.v.stride + c]);
  }
}

__device__ bool Sees(const CudaLayer& layer, const Batch& batch, const SequenceSpan& span,
                     int token, int slot) {
  const int own = token - span.first_token;
  const bool in_step = slot >= span.context;
  if (batch.tree_mask != nullptr && in_step) {
    if ((batch.tree_mask[token] >> (slot - span.context) & 1) == 0) return false;
  } else if (slot > span.context + own) {
    return false;
  }
  if (layer.params.window <= 0) return true;
  const int position = in_step ? batch.positions[span.first_token + slot - span.context] : slot;
  return batch.positions[token] - position < layer.params.window;
}

// blockIdx.x: token, blockIdx.y: query head.
template <typename T>
__global__ void Attend(CudaLayer layer, Batch batch) {
  __shared__ float maxima[kWarps];
  __shared__ float sums[kWarps];
  extern __shared__ float values[];  // [kWarps, value_dim]
  const AttentionParams& p = layer.params;
  const int token = static_cast<int>(blockIdx.x);
  const int head = static_cast<int>(blockIdx.y);
  const int kv_head = static_cast<int>(static_cast<int64_t>(head) * p.kv_heads / p.heads);
  const int warp = static_cast<int>(threadIdx.x / 32);
  const int lane = static_cast<int>(threadIdx.x % 32);
  const SequenceSpan span = batch.spans[batch.token_sequence[token]];
  const float* q = layer.q.data + token * layer.q.stride + static_cast<int64_t>(head) * p.head_dim;
  const int end =
      span.context + (batch.tree_mask != nullptr ? span.tokens : token - span.first_token + 1);
  const int first = p.window > 0 && batch.tree_mask == nullptr ? max(0, end - p.window) : 0;

  float largest = -INFINITY;
  float sum = 0;
  float row[kMaxDimPerLane] = {};
  for (int slot = first + warp; slot < end; slot += kWarps) {
    if (!Sees(layer, batch, span, token, slot)) continue;
    const T* page = PageOf<T>(layer, batch, span, slot);
    const int in_page = slot % layer.page_tokens;
    const T* k = page + (static_cast<int64_t>(in_page) * p.kv_heads + kv_head) * p.head_dim;
    const T* v = page + static_cast<int64_t>(layer.page_tokens) * p.kv_heads * p.head_dim +
                 (static_cast<int64_t>(in_page) * p.kv_heads + kv_head) * p.value_dim;
    float dot = 0;
    for (int d = lane; d < p.head_dim; d += 32) dot += q[d] * Load(k + d);
    float score = p.scale * WarpSum(dot);
    if (p.soft_cap > 0) score = p.soft_cap * tanhf(score / p.soft_cap);
    const float now = fmaxf(largest, score);
    const float keep = expf(largest - now);
    const float weight = expf(score - now);
    sum = sum * keep + weight;
    for (int i = 0, d = lane; d < p.value_dim; ++i, d += 32)
      row[i] = row[i] * keep + weight * Load(v + d);
    largest = now;
  }
  if (lane == 0) {
    maxima[warp] = largest;
    sums[warp] = sum;
  }
  for (int i = 0, d = lane; d < p.value_dim; ++i, d += 32) values[warp * p.value_dim + d] = row[i];
  __syncthreads();

  float all = layer.sinks != nullptr ? layer.sinks[head] : -INFINITY;
  for (const float one : maxima) all = fmaxf(all, one);
  float total = layer.sinks != nullptr ? expf(layer.sinks[head] - all) : 0.0F;
  for (int w = 0; w < kWarps; ++w) total += sums[w] > 0 ? sums[w] * expf(maxima[w] - all) : 0.0F;
  float* out = layer.out.data + token * layer.out.stride + static_cast<int64_t>(head) * p.value_dim;
  for (int d = static_cast<int>(threadIdx.x); d < p.value_dim; d += static_cast<int>(blockDim.x)) {
    float value = 0;
    for (int w = 0; w < kWarps; ++w) {
      if (sums[w] > 0) value += values[w * p.value_dim + d] * expf(maxima[w] - all);
    }
    out[d] = total > 0 ? value / total : 0.0F;
  }
}

template <typename T>
void Launch(const CudaLayer& layer, const Batch& batch, cudaStream_t stream) {
  const auto tokens = static_cast<unsigned>(batch.tokens);
  Append<T><<<tokens, 128, 0, stream>>>(layer, batch);
  const size_t shared = sizeof(float) * kWarps * static_cast<size_t>(layer.params.value_dim);
  Attend<T>
      <<<dim3(tokens, static_cast<unsigned>(layer.params.heads)), kWarps * 32, shared, stream>>>(
          layer, batch);
}

}  // namespace

void LaunchAttention(const CudaLayer& layer, const Batch& batch, cudaStream_t stream) {
  if (layer.kv_type == DType::kF32) {
    Launch<float>(layer, batch, stream);
  } else if (layer.kv_type == DType::kF16) {
    Launch<__half>(layer, batch, stream);
  } else {
    Launch<__nv_bfloat16>(layer, batch, stream);
  }
}

}  // namespace tenon::attention
