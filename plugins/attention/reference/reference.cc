// SPDX-License-Identifier: Apache-2.0
#include "plugins/attention/reference/reference.h"

#include <algorithm>
#include <cmath>
#include <new>

#include "kernels/cpu/half.h"

namespace tenon::attention {
namespace {

float Load(DType type, const uint8_t* values, int64_t i) {
  if (type == DType::kF32) return reinterpret_cast<const float*>(values)[i];
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

// Values of one slot: K of all KV heads, then V of all KV heads.
int64_t SlotValues(const AttentionParams& p) {
  return int64_t{p.kv_heads} * (p.head_dim + p.value_dim);
}

uint64_t PageBytes(const AttentionParams& p, DType type, int32_t max_context) {
  return BytesOf(type, static_cast<uint64_t>(SlotValues(p)) * static_cast<uint64_t>(max_context));
}

}  // namespace

class ReferenceAttention::ReferenceOp final : public Op {
 public:
  // `scores` is [lanes, max_context], of `device`; the op frees it.
  ReferenceOp(const AttentionOperands& operands, DType type, int32_t max_context, Device* device,
              double* scores)
      : x_(operands),
        type_(type),
        max_context_(max_context),
        page_bytes_(PageBytes(operands.layer, type, max_context)),
        device_(device),
        scores_(scores) {}
  ~ReferenceOp() { device_->Free(scores_); }

  void Run(const Batch& batch, const Lane& lane) noexcept override {
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

 private:
  uint8_t* Slot(const Batch& batch, const SequenceSpan& span, int32_t slot) const {
    const uint64_t page = static_cast<uint64_t>(batch.block_tables[span.first_block]);
    const int64_t first = slot * SlotValues(x_.layer);
    return x_.pages + page * page_bytes_ + BytesOf(type_, static_cast<uint64_t>(first));
  }

  void Append(const Batch& batch, int32_t t) const {
    const SequenceSpan& span = batch.spans[batch.token_sequence[t]];
    uint8_t* to = Slot(batch, span, span.context + t - span.first_token);
    const int32_t keys = x_.layer.kv_heads * x_.layer.head_dim;
    const int32_t values = x_.layer.kv_heads * x_.layer.value_dim;
    for (int32_t d = 0; d < keys; ++d) Store(type_, x_.k.Row(t)[d], to, d);
    for (int32_t d = 0; d < values; ++d) Store(type_, x_.v.Row(t)[d], to, keys + d);
  }

  bool Sees(const Batch& batch, const SequenceSpan& span, int32_t t, int32_t slot) const {
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

  double Score(const Batch& batch, const SequenceSpan& span, int32_t t, int32_t head,
               int32_t slot) const {
    const AttentionParams& p = x_.layer;
    const float* q = x_.q.Row(t) + head * p.head_dim;
    const uint8_t* stored = Slot(batch, span, slot);
    const int32_t first = head * p.kv_heads / p.heads * p.head_dim;
    double sum = 0;
    for (int32_t d = 0; d < p.head_dim; ++d) sum += double{q[d]} * Load(type_, stored, first + d);
    const double score = p.scale * sum;
    return p.soft_cap > 0 ? p.soft_cap * std::tanh(score / p.soft_cap) : score;
  }

  void Attend(const Batch& batch, int32_t t, int32_t head, double* scores) const {
    const AttentionParams& p = x_.layer;
    const SequenceSpan& span = batch.spans[batch.token_sequence[t]];
    const int32_t slots = span.context + span.tokens;
    double max = x_.sinks != nullptr ? double{x_.sinks[head]} : -INFINITY;
    for (int32_t slot = 0; slot < slots; ++slot) {
      const bool sees = Sees(batch, span, t, slot);
      scores[slot] = sees ? Score(batch, span, t, head, slot) : -INFINITY;
      max = std::max(max, scores[slot]);
    }
    double sum = x_.sinks != nullptr ? std::exp(x_.sinks[head] - max) : 0;
    for (int32_t slot = 0; slot < slots; ++slot) {
      scores[slot] = scores[slot] == -INFINITY ? 0 : std::exp(scores[slot] - max);
      sum += scores[slot];
    }
    const int32_t first = p.kv_heads * p.head_dim + head * p.kv_heads / p.heads * p.value_dim;
    for (int32_t d = 0; d < p.value_dim; ++d) {
      double out = 0;
      for (int32_t slot = 0; slot < slots; ++slot) {
        if (scores[slot] > 0) out += scores[slot] * Load(type_, Slot(batch, span, slot), first + d);
      }
      x_.out.Row(t)[head * p.value_dim + d] = static_cast<float>(sum > 0 ? out / sum : 0);
    }
  }

  const AttentionOperands x_;
  const DType type_;
  const int32_t max_context_;
  const uint64_t page_bytes_;
  Device* const device_;
  double* const scores_;
};

ReferenceAttention::ReferenceAttention(const CreateArgs& args)
    : host_(*args.host), device_(args.device), kv_type_(KvTypeOf(args.options)) {}

ReferenceAttention::~ReferenceAttention() = default;

void* ReferenceAttention::Query(const char* interface_name) noexcept {
  return Offer<Attention>(this, interface_name);
}

Status ReferenceAttention::LayOut(const AttentionParams& layer, int32_t max_context,
                                  KvLayout* out) noexcept {
  if (Status s = CheckLayer(host_, layer); s != Status::kOk) return s;
  if (max_context < 1) {
    return host_.Fail(Status::kInvalid, "the longest context must have at least one slot");
  }
  max_context_ = max_context;
  *out = {max_context, PageBytes(layer, kv_type_, max_context)};
  return Status::kOk;
}

Status ReferenceAttention::Plan(const OpSpec& spec, PlannedOp* out) noexcept {
  AttentionOperands operands;
  if (Status s = CheckDevice(host_, device_); s != Status::kOk) return s;
  if (Status s = ReadSpec(host_, spec, &operands); s != Status::kOk) return s;
  if (max_context_ == 0) {
    return host_.Fail(Status::kInvalid, "attention was planned before its pages were laid out");
  }
  const uint64_t page_bytes = PageBytes(operands.layer, kv_type_, max_context_);
  if (Status s = CheckPages(host_, spec, page_bytes); s != Status::kOk) return s;
  const uint64_t bytes = sizeof(double) * static_cast<uint64_t>(max_context_) *
                         static_cast<uint64_t>(std::max(1, device_->Info().lanes));
  double* scores = static_cast<double*>(device_->Allocate(bytes));
  if (scores == nullptr) {
    return host_.Fail(Status::kOutOfMemory, "no memory for the scores of attention");
  }
  try {
    ops_.reserve(ops_.size() + 1);
    ops_.push_back(
        std::make_unique<ReferenceOp>(operands, kv_type_, max_context_, device_, scores));
  } catch (const std::bad_alloc&) {
    device_->Free(scores);
    return host_.Fail(Status::kOutOfMemory, "no memory to plan attention");
  }
  *out = {ops_.back().get(), Split::kAny, 0, bytes};
  return Status::kOk;
}

}  // namespace tenon::attention
