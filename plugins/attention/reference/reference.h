// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include "plugins/attention/common/attention_spec.h"
#include "plugins/attention/reference/reference_op.h"
#include "tenon/attention.h"
#include "tenon/component.h"

namespace tenon::attention {

// The formulas as they stand in tenon/ops.h: two passes over the scores of a query head, in double.
// What other components are measured against.
class ReferenceAttention final : public Component, public Attention {
 public:
  static constexpr OptionInfo kOptions[] = {kKvTypeOption};

  explicit ReferenceAttention(const CreateArgs& args);
  ~ReferenceAttention();
  ReferenceAttention(const ReferenceAttention&) = delete;
  ReferenceAttention& operator=(const ReferenceAttention&) = delete;

  void* Query(const char* interface_name) noexcept override;
  Status LayOut(const AttentionParams& layer, int32_t max_context, KvLayout* out) noexcept override;
  Status Plan(const OpSpec& spec, PlannedOp* out) noexcept override;

 private:
  Status PlanStored(const OpSpec& spec, PlannedOp* out) noexcept;
  Status PlanBidirectional(const OpSpec& spec, PlannedOp* out) noexcept;
  // An op from `maker`, with a run of scores for each lane.
  template <typename MadeOp, typename Maker>
  Status Make(int32_t scores_each, std::vector<std::unique_ptr<MadeOp>>* ops, PlannedOp* out,
              const Maker& maker) noexcept;

  Host& host_;
  Device* const device_;
  const DType kv_type_;
  int32_t max_context_ = 0;  // 0 before LayOut
  std::vector<std::unique_ptr<ReferenceOp>> stored_;
  std::vector<std::unique_ptr<BidirectionalReferenceOp>> bidirectional_;
};

}  // namespace tenon::attention
