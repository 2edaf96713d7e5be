// SPDX-License-Identifier: Apache-2.0
#include "plugins/attention/reference/reference_op.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels/cpu/half.h"
#include "kernels/cpu/kv_int8.h"

namespace tenon::attention {
namespace {

float Load(DType type, const uint8_t* values, int64_t i) {
  if (type == DType::kF32) return reinterpret_cast<const float*>(values)[i];
  if (type == DType::kI8) return static_cast<int8_t>(values[i]);
  const uint16_t half = reinterpret_cast<const uint16_t*>(values)[i];
  return type == DType::kF16 ? cpu::F16ToF32(half) : cpu::Bf16ToF32(half);
}

void Store(DType type, float value, uint8_t* values, int64_t i) {
  if (type == DType::kF32) {
    reinterpret_cast<float*>(values)[i] = value;
  } else {
    reinterpret_cast<uint16_t*>(values)[i] =
        type == DType::kF16 ? cpu::F32ToF16(value) : cpu::F32ToBf16(value);
  }
}

// Values of one slot: K of all KV heads, then V of all KV heads; of a latent row, K alone.
int64_t SlotValues(const AttentionParams& stored) {
  return int64_t{stored.kv_heads} * (stored.head_dim + stored.value_dim);
}

// Where the codes of a slot are int8, a scale follows them for K and then V of each KV head.
int64_t SlotBytes(const AttentionParams& stored, DType type) {
  const int64_t scales = type == DType::kI8 ? 2 * int64_t{stored.kv_heads} : 0;
  return static_cast<int64_t>(BytesOf(type, static_cast<uint64_t>(SlotValues(stored)))) +
         scales * int64_t{sizeof(float)};
}

// Runs of `width` values from value `at` on, each with a scale of its own from scale `scale` on.
struct Int8Runs {
  int32_t count, width;
  int64_t at, scale;
};

void StoreInt8(const float* from, const Int8Runs& runs, int64_t values, uint8_t* slot) {
  for (int32_t i = 0; i < runs.count; ++i, from += runs.width) {
    const cpu::Int8Rounding rounding = cpu::Int8RoundingOf(from, runs.width);
    int8_t* codes = reinterpret_cast<int8_t*>(slot) + runs.at + int64_t{i} * runs.width;
    for (int32_t d = 0; d < runs.width; ++d) codes[d] = rounding.Code(from[d]);
    std::memcpy(slot + values + int64_t{sizeof(float)} * (runs.scale + i), &rounding.scale,
                sizeof(float));
  }
}

// scores[0, count) become exp(score - max), and their sum with that of the sink is the result.
double Exponentiate(double* scores, int32_t count, const float* sink) {
  double max = sink != nullptr ? double{*sink} : -INFINITY;
  for (int32_t i = 0; i < count; ++i) max = std::max(max, scores[i]);
  double sum = sink != nullptr ? std::exp(*sink - max) : 0;
  for (int32_t i = 0; i < count; ++i) {
    scores[i] = scores[i] == -INFINITY ? 0 : std::exp(scores[i] - max);
    sum += scores[i];
  }
  return sum;
}

}  // namespace

uint64_t ReferencePageBytes(const AttentionParams& stored, DType type, int32_t max_context) {
  return static_cast<uint64_t>(SlotBytes(stored, type)) * static_cast<uint64_t>(max_context);
}

ReferenceOp::ReferenceOp(const AttentionOperands& operands, DType type, int32_t max_context,
                         Device* device, double* scores)
    : x_(operands),
      type_(type),
      max_context_(max_context),
      page_bytes_(ReferencePageBytes(operands.Stored(), type, max_context)),
      device_(device),
      scores_(scores) {}

void ReferenceOp::Run(const Batch& batch, const Lane& lane) noexcept {
  const RowRange rows = RowsOf(lane, batch.tokens);
  for (int32_t t = rows.begin; t < rows.end; ++t) Append(batch, t);
  lane.Meet();
  double* scores = scores_ + int64_t{lane.index} * max_context_;
  for (int64_t t = lane.Claim(); t < batch.tokens; t = lane.Claim()) {
    for (int32_t head = 0; head < x_.layer.heads; ++head) {
      Attend(batch, static_cast<int32_t>(t), head, scores);
    }
  }
}

uint8_t* ReferenceOp::Slot(const Batch& batch, const SequenceSpan& span, int32_t slot) const {
  const uint64_t page = static_cast<uint64_t>(batch.block_tables[span.first_block]);
  return x_.pages + page * page_bytes_ + slot * SlotBytes(x_.Stored(), type_);
}

double ReferenceOp::ScaleOf(const uint8_t* stored, int32_t head, bool of_value) const {
  const AttentionParams& p = x_.layer;
  if (type_ != DType::kI8) return 1;
  const int32_t index = (of_value ? p.kv_heads : 0) + head * p.kv_heads / p.heads;
  float scale;
  std::memcpy(&scale, stored + SlotValues(p) + int64_t{sizeof(float)} * index, sizeof(scale));
  return scale;
}

void ReferenceOp::Append(const Batch& batch, int32_t t) const {
  const AttentionParams& p = x_.layer;
  const SequenceSpan& span = batch.spans[batch.token_sequence[t]];
  uint8_t* to = Slot(batch, span, span.context + t - span.first_token);
  if (type_ == DType::kI8) {
    const int64_t values = SlotValues(p);
    StoreInt8(x_.k.Row(t), {p.kv_heads, p.head_dim, 0, 0}, values, to);
    StoreInt8(x_.v.Row(t), {p.kv_heads, p.value_dim, p.kv_heads * p.head_dim, p.kv_heads}, values,
              to);
    return;
  }
  const int32_t keys = x_.latent ? p.value_dim : p.kv_heads * p.head_dim;
  const int32_t values = x_.latent ? x_.rope_dim() : p.kv_heads * p.value_dim;
  for (int32_t d = 0; d < keys; ++d) Store(type_, x_.k.Row(t)[d], to, d);
  for (int32_t d = 0; d < values; ++d) Store(type_, x_.v.Row(t)[d], to, keys + d);
}

bool ReferenceOp::Sees(const Batch& batch, const SequenceSpan& span, int32_t t,
                       int32_t slot) const {
  const int32_t j = t - span.first_token, i = slot - span.context;  // i < 0: before the step
  const bool tree = batch.tree_mask != nullptr && span.tokens <= 64;
  if (i >= 0 && !tree && i > j) return false;
  if (i >= 0 && tree && (batch.tree_mask[t] >> i & 1) == 0) return false;
  if (x_.layer.window == 0) return true;
  const auto position = [&](int32_t step_token) {
    if (step_token < 0 || !tree) return step_token;
    return batch.positions[span.first_token + step_token] - batch.positions[span.first_token];
  };
  return position(j) - position(i) < x_.layer.window;
}

double ReferenceOp::QueryTimesKey(int32_t t, int32_t head, const uint8_t* stored) const {
  const AttentionParams& p = x_.layer;
  double sum = 0;
  if (x_.latent) {
    const float* q_latent = x_.q.Row(t) + head * p.value_dim;
    const float* q_rope = x_.q_rope.Row(t) + head * x_.rope_dim();
    for (int32_t d = 0; d < p.value_dim; ++d) sum += double{q_latent[d]} * Load(type_, stored, d);
    for (int32_t d = 0; d < x_.rope_dim(); ++d) {
      sum += double{q_rope[d]} * Load(type_, stored, p.value_dim + d);
    }
  } else {
    const float* q = x_.q.Row(t) + head * p.head_dim;
    const int32_t first = head * p.kv_heads / p.heads * p.head_dim;
    for (int32_t d = 0; d < p.head_dim; ++d) sum += double{q[d]} * Load(type_, stored, first + d);
    sum *= ScaleOf(stored, head, false);
  }
  return sum;
}

double ReferenceOp::Score(const Batch& batch, const SequenceSpan& span, int32_t t, int32_t head,
                          int32_t slot) const {
  const AttentionParams& p = x_.layer;
  const double score = p.scale * QueryTimesKey(t, head, Slot(batch, span, slot));
  return p.soft_cap > 0 ? p.soft_cap * std::tanh(score / p.soft_cap) : score;
}

void ReferenceOp::Attend(const Batch& batch, int32_t t, int32_t head, double* scores) const {
  const AttentionParams& p = x_.layer;
  const SequenceSpan& span = batch.spans[batch.token_sequence[t]];
  const int32_t slots = span.context + span.tokens;
  for (int32_t slot = 0; slot < slots; ++slot) {
    const bool sees = Sees(batch, span, t, slot);
    scores[slot] = sees ? Score(batch, span, t, head, slot) : -INFINITY;
  }
  const double sum = Exponentiate(scores, slots, x_.sinks != nullptr ? x_.sinks + head : nullptr);
  for (int32_t slot = 0; slot < slots; ++slot) {
    if (scores[slot] > 0) scores[slot] *= ScaleOf(Slot(batch, span, slot), head, true);
  }
  const int64_t first = FirstValue(head);
  for (int32_t d = 0; d < p.value_dim; ++d) {
    double out = 0;
    for (int32_t slot = 0; slot < slots; ++slot) {
      if (scores[slot] != 0) out += scores[slot] * Load(type_, Slot(batch, span, slot), first + d);
    }
    x_.out.Row(t)[head * p.value_dim + d] = static_cast<float>(sum > 0 ? out / sum : 0);
  }
}

// Where a slot's V for a head begins.
int64_t ReferenceOp::FirstValue(int32_t head) const {
  const AttentionParams& p = x_.layer;
  return x_.latent ? 0 : p.kv_heads * p.head_dim + head * p.kv_heads / p.heads * p.value_dim;
}

void BidirectionalReferenceOp::Run(const Batch& batch, const Lane& lane) noexcept {
  double* scores = scores_ + int64_t{lane.index} * x_.max_rows;
  for (int64_t t = lane.Claim(); t < batch.tokens; t = lane.Claim()) {
    const SequenceSpan& span = batch.spans[batch.token_sequence[t]];
    for (int32_t head = 0; head < x_.layer.heads; ++head) {
      Attend(span, static_cast<int32_t>(t), head, scores);
    }
  }
}

void BidirectionalReferenceOp::Attend(const SequenceSpan& span, int32_t t, int32_t head,
                                      double* scores) const {
  const BidirectionalAttentionParams& p = x_.layer;
  const int32_t kv_head = head * p.kv_heads / p.heads;
  for (int32_t i = 0; i < span.tokens; ++i) {
    const float* q = x_.q.Row(t) + head * p.head_dim;
    const float* k = x_.k.Row(span.first_token + i) + kv_head * p.head_dim;
    double sum = 0;
    for (int32_t d = 0; d < p.head_dim; ++d) sum += double{q[d]} * k[d];
    scores[i] = p.scale * sum;
  }
  const double sum = Exponentiate(scores, span.tokens, nullptr);
  for (int32_t d = 0; d < p.head_dim; ++d) {
    double out = 0;
    for (int32_t i = 0; i < span.tokens; ++i) {
      out += scores[i] * x_.v.Row(span.first_token + i)[kv_head * p.head_dim + d];
    }
    x_.out.Row(t)[head * p.head_dim + d] = static_cast<float>(out / sum);
  }
}

}  // namespace tenon::attention
