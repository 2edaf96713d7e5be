// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "plugins/attention/common/attention_spec.h"
#include "tenon/device.h"
#include "tenon/op.h"

namespace tenon::attention {

// One page's bytes for a layer whose page holds max_context slots.
uint64_t ReferencePageBytes(const AttentionParams& stored, DType type, int32_t max_context);

// kAttention and kLatentAttention.
class ReferenceOp final : public Op {
 public:
  // `scores` is [lanes, max_context], of `device`; the op frees it.
  ReferenceOp(const AttentionOperands& operands, DType type, int32_t max_context, Device* device,
              double* scores);
  ~ReferenceOp() { device_->Free(scores_); }
  ReferenceOp(const ReferenceOp&) = delete;
  ReferenceOp& operator=(const ReferenceOp&) = delete;

  void Run(const Batch& batch, const Lane& lane) noexcept override;

 private:
  uint8_t* Slot(const Batch& batch, const SequenceSpan& span, int32_t slot) const;
  void Append(const Batch& batch, int32_t t) const;
  // What a query head's K, or V, of a slot is to be multiplied with; 1 but for int8.
  double ScaleOf(const uint8_t* stored, int32_t head, bool of_value) const;
  bool Sees(const Batch& batch, const SequenceSpan& span, int32_t t, int32_t slot) const;
  double QueryTimesKey(int32_t t, int32_t head, const uint8_t* stored) const;
  double Score(const Batch& batch, const SequenceSpan& span, int32_t t, int32_t head,
               int32_t slot) const;
  void Attend(const Batch& batch, int32_t t, int32_t head, double* scores) const;
  int64_t FirstValue(int32_t head) const;

  const AttentionOperands x_;
  const DType type_;
  const int32_t max_context_;
  const uint64_t page_bytes_;
  Device* const device_;
  double* const scores_;
};

// kBidirectionalAttention.
class BidirectionalReferenceOp final : public Op {
 public:
  // `scores` is [lanes, tokens of a step], of `device`; the op frees it.
  BidirectionalReferenceOp(const BidirectionalOperands& operands, Device* device, double* scores)
      : x_(operands), device_(device), scores_(scores) {}
  ~BidirectionalReferenceOp() { device_->Free(scores_); }
  BidirectionalReferenceOp(const BidirectionalReferenceOp&) = delete;
  BidirectionalReferenceOp& operator=(const BidirectionalReferenceOp&) = delete;

  void Run(const Batch& batch, const Lane& lane) noexcept override;

 private:
  void Attend(const SequenceSpan& span, int32_t t, int32_t head, double* scores) const;

  const BidirectionalOperands x_;
  Device* const device_;
  double* const scores_;
};

}  // namespace tenon::attention
