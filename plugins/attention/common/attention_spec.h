// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "tenon/device.h"
#include "tenon/host.h"
#include "tenon/op.h"
#include "tenon/ops.h"
#include "tenon/option.h"

// What every attention component for the CPU asks of its options and operands.
namespace tenon::attention {

inline constexpr int32_t kMaxHeadDim = 1024;

// The option that every attention component has, and its value.
inline constexpr OptionInfo kKvTypeOption = {
    "kv_type", OptionType::kString, "f16", "How K and V are stored.", 0, 0, "f32|f16|bf16|int8"};
DType KvTypeOf(const Options& options);

// Whether this machine's processor is a device that `device` stands for: kUnsupported, after
// Host::Fail, for none and for any other kind than "cpu".
Status CheckDevice(Host& host, const Device* device);

// kUnsupported after Host::Fail: int8 for a layer of latent rows (value_dim 0).
Status CheckKvType(Host& host, const AttentionParams& stored, DType kv_type);

// Positive, consistent numbers within limits; kInvalid after Host::Fail. value_dim 0 says that a
// slot is one latent row: then one KV head, no window, cap or sinks.
Status CheckLayer(Host& host, const AttentionParams& layer);

// Rows of f32 in memory that outlives the op.
struct FloatRows {
  uint8_t* data;
  int64_t row_bytes;

  float* Row(int32_t row) const {
    return reinterpret_cast<float*>(data + static_cast<int64_t>(row) * row_bytes);
  }
};

// Of kAttention, or of kLatentAttention: then `layer` has one KV head, head_dim rank + rope_dim and
// value_dim rank, and its operands are q_latent, q_rope, latent and k_rope.
struct AttentionOperands {
  AttentionParams layer;
  FloatRows q, k, v, out;  // latent: q is q_latent, k is latent, v is k_rope
  const float* sinks;      // [heads], or null
  uint8_t* pages;
  bool latent = false;
  FloatRows q_rope = {};

  int32_t rope_dim() const { return layer.head_dim - layer.value_dim; }  // latent
  // What LayOut was asked for.
  AttentionParams Stored() const {
    AttentionParams stored = layer;
    if (latent) stored.value_dim = 0;
    return stored;
  }
};

struct BidirectionalOperands {
  BidirectionalAttentionParams layer;
  FloatRows q, k, v, out;
  int32_t max_rows;  // tokens of a step
};

inline bool IsBidirectional(const OpSpec& spec) {
  return spec.kind == Str(kBidirectionalAttention);
}

// Reads an op's spec into `out`. kUnsupported: another kind of op; kInvalid, after Host::Fail with
// the op's name: operands that do not fit the parameters, or pages of other bytes than
// `page_bytes`.
Status ReadSpec(Host& host, const OpSpec& spec, AttentionOperands* out);
Status CheckPages(Host& host, const OpSpec& spec, uint64_t page_bytes);
// REQUIRES: IsBidirectional(spec).
Status ReadSpec(Host& host, const OpSpec& spec, BidirectionalOperands* out);

}  // namespace tenon::attention
