// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "kernels/cpu/attention.h"
#include "plugins/attention/common/attention_spec.h"
#include "plugins/attention/common/row_tiles.h"
#include "plugins/attention/common/scratch.h"
#include "tenon/op.h"

namespace tenon::attention {

// kBidirectionalAttention: every token of a span against tiles of the span's own K and V, which are
// packed from the inputs one tile at a time. Lanes claim items: some tokens of one sequence and one
// KV head.
class BidirectionalOp final : public Op {
 public:
  // `scratch` has room for Needs() when the op runs.
  BidirectionalOp(const BidirectionalOperands& operands, const cpu::AttentionKernels& kernels,
                  const Scratch& scratch);

  LaneNeeds Needs() const;

  void Run(const Batch& batch, const Lane& lane) noexcept override;

 private:
  int64_t ItemsOf(const SequenceSpan& span) const;
  void Attend(const SequenceSpan& span, int64_t item, const Scratch::Lane& own) const;
  void PackTile(const SequenceSpan& span, int32_t kv_head, int32_t tile, float* to) const;

  const BidirectionalOperands x_;
  const cpu::KvBlock block_;
  const int32_t group_;        // query heads a KV head
  const int32_t item_tokens_;  // most tokens of an item
  const cpu::AttentionKernels& kernels_;
  const Scratch& scratch_;
};

}  // namespace tenon::attention
