// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "tenon/capability.h"
#include "tenon/expert_ops.h"
#include "tenon/types.h"

// The kinds of op that models emit, with their parameters. Every device makes the ops of the first
// part; linears come from quant, attention from attention, collectives from parallel components.
// Those of experts stand in tenon/expert_ops.h. x[t] is row t. Arithmetic is f32.
namespace tenon {

// ---- made by the device
// --------------------------------------------------------------------------

// out[t] = scale * table[token_ids[t]];  weights: {table [vocabulary, columns]}, of any stored
// type.
inline constexpr const char* kEmbed = "embed";
struct EmbedParams {
  float scale;
};

// out[t] = x[t] / sqrt(mean(x[t]^2) + epsilon) * (weight + weight_offset), over each run of
// `group` columns alone (q/k norms: the head's width); weights: {weight [1, group]}. In place or
// not. Zhang & Sennrich 2019, "Root Mean Square Layer Normalization".
inline constexpr const char* kRmsNorm = "rms_norm";
struct RmsNormParams {
  float epsilon;
  float weight_offset;  // 1 where the file stores weight - 1 (Gemma in the Hugging Face layout)
  int32_t group;        // divides the columns
};

// Rotates pairs of each head's first `rotary_dim` columns by position * inverse_frequency[i], in
// place (input == output); weights: {inverse_frequency f32 [1, rotary_dim / 2]}.
// Su et al. 2021, "RoFormer".
inline constexpr const char* kRope = "rope";
enum class RopePairs : uint32_t {
  kHalves = 0,      // (i, i + rotary_dim / 2): Hugging Face, GPT-NeoX
  kNeighbours = 1,  // (2 i, 2 i + 1): GPT-J, GGUF files of llama
};
struct RopeParams {
  int32_t heads;
  int32_t head_dim;
  int32_t rotary_dim;
  RopePairs pairs;
  float magnitude;  // factor on the rotated part; 1 but for YaRN
};

// out[t] = activation(gate[t]) * up[t];  inputs: {gate, up}.
// Shazeer 2020, "GLU Variants Improve Transformer".
inline constexpr const char* kGlu = "glu";
enum class Activation : uint32_t { kSilu = 0, kGeluTanh = 1, kGelu = 2 };
struct GluParams {
  Activation activation;
};

// out[t] = (u + 1) * g * sigmoid(alpha * g), g = min(gate[t], limit), u = clamp(up[t], -limit,
// limit);  inputs: {gate, up}. OpenAI 2025, "gpt-oss-120b & gpt-oss-20b Model Card".
inline constexpr const char* kClampedGlu = "clamped_glu";
struct ClampedGluParams {
  float alpha;
  float limit;
};

// out[t] = activation(x[t]); in place or not.
inline constexpr const char* kActivate = "activate";
struct ActivateParams {
  Activation activation;
};

// out[t] = (z - mean(z)) / sqrt(variance(z) + epsilon) * weight + bias, z = x[t] (+ y[t]);
// inputs: {x} or {x, y}; weights: {weight [1, columns], bias [1, columns]}, f32; out may be an
// input. Ba et al. 2016, "Layer Normalization".
inline constexpr const char* kLayerNorm = "layer_norm";
struct LayerNormParams {
  float epsilon;
};

// out[t] = x[t] + table[positions[t]]; weights: {table [positions, columns]}, of any stored type,
// with a row for every position that a sequence can have. In place or not.
inline constexpr const char* kEmbedPositions = "embed_positions";
struct EmbedPositionsParams {
  uint32_t reserved;
};

// out[t] = a[t] + b[t];  inputs: {a, b}; out may be a or b.
inline constexpr const char* kAdd = "add";
struct AddParams {
  uint32_t reserved;
};

// out[t] = cap * tanh(x[t] / cap); in place or not.
inline constexpr const char* kSoftCap = "soft_cap";
struct SoftCapParams {
  float cap;
};

// out[r] = x[logit_row_tokens[r]]; x has kTokens rows, out has kLogitRows.
inline constexpr const char* kGatherRows = "gather_rows";
struct GatherRowsParams {
  uint32_t reserved;
};

// ---- made by quant
// -------------------------------------------------------------------------------

// out[t] = x[t] · Wᵀ (+ bias) (+ residual[t]), W = the matrices stacked by rows (q, k, v in one
// op). inputs: {x} or {x, residual}; out may be the residual. weights: `matrices` of them, each
// [outputs, columns of x] and of its own type, then as many biases [1, outputs] if has_bias.
inline constexpr const char* kLinear = "linear";
struct LinearParams {
  int32_t matrices;
  uint32_t has_bias;      // 0 or 1
  uint32_t has_residual;  // 0 or 1
};

// ---- made by attention
// ---------------------------------------------------------------------------

// Stores k and v of the step's tokens in the pages of their sequences, then for each query head h
// with KV head g = h * kv_heads / heads:
//   s[j] = scale * q·k[j], capped as cap * tanh(s / cap) if soft_cap > 0, over the slots j that the
//   token may see (causal or Batch::tree_mask; with window > 0 only the last `window` positions,
//   its own included);   out = Σ softmax(s)[j] v[j].
// inputs: {q [heads * head_dim], k [kv_heads * head_dim], v [kv_heads * value_dim]};
// outputs: {o [heads * value_dim]}; state: the layer's KV pages.
inline constexpr const char* kAttention = "attention";
struct AttentionParams {
  int32_t layer;
  int32_t heads;
  int32_t kv_heads;
  int32_t head_dim;
  int32_t value_dim;
  float scale;
  int32_t window;      // 0: no window
  float soft_cap;      // 0: no cap
  uint32_t has_sinks;  // 0 or 1: weights = {sinks f32 [1, heads]}, exp(sink) joins the denominator
};

// kRope of q and k, then kAttention, in one op: what a pass of the attention component may make of
// the two. q and k are left as they are. inputs, outputs, state: those of kAttention; weights:
// {inverse_frequency f32 [1, rotary_dim / 2]}, then its sinks. rope.heads is heads + kv_heads.
inline constexpr const char* kRopeAttention = "rope_attention";
struct RopeAttentionParams {
  AttentionParams attention;
  RopeParams rope;
};

// kAttention over one latent row a slot that all heads share (MLA in its absorbed form): K is the
// row [latent | k_rope], V its first `rank` columns; nothing else is stored.
//   s[j] = scale * (q_latent·latent[j] + q_rope·k_rope[j]);   out = Σ softmax(s)[j] latent[j]
// inputs: {q_latent [heads * rank], q_rope [heads * rope_dim], latent [rank], k_rope [rope_dim]};
// outputs: {o [heads * rank]}; state: the layer's KV pages, laid out for StoredRow(params). Needs
// Capability::kLatentKv. DeepSeek-AI 2024, "DeepSeek-V2".
inline constexpr const char* kLatentAttention = "latent_attention";
struct LatentAttentionParams {
  int32_t layer;
  int32_t heads;
  int32_t rank;
  int32_t rope_dim;
  float scale;
};

// What Attention::LayOut is asked for such a layer: one KV head, value_dim 0: no V besides K.
constexpr AttentionParams StoredRow(const LatentAttentionParams& p) {
  return {p.layer, p.heads, 1, p.rank + p.rope_dim, 0, p.scale, 0, 0, 0};
}

// Every token attends to all tokens of its sequence in this step, and nothing is stored: encoders.
// inputs: {q [heads * head_dim], k, v [kv_heads * head_dim]}; outputs: {o [heads * head_dim]}.
// Needs Capability::kBidirectional.
inline constexpr const char* kBidirectionalAttention = "bidirectional_attention";
struct BidirectionalAttentionParams {
  int32_t heads;
  int32_t kv_heads;
  int32_t head_dim;
  float scale;
};

// What a component must understand to make that op.
constexpr Capabilities NeedsOf(const AttentionParams& p) {
  Capabilities needs;
  if (p.window > 0) needs = needs.With(Capability::kSlidingWindow);
  if (p.soft_cap > 0) needs = needs.With(Capability::kSoftCap);
  if (p.has_sinks != 0) needs = needs.With(Capability::kSinks);
  return needs;
}

// ---- made by parallel
// ----------------------------------------------------------------------------

// x[t] = Σ over ranks of x[t], in place (input == output).
inline constexpr const char* kAllReduce = "all_reduce";
struct AllReduceParams {
  uint32_t reserved;
};

}  // namespace tenon
