// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "plugins/scheduler/common/limits.h"
#include "tenon/component.h"
#include "tenon/scheduler.h"

namespace tenon::scheduler {

// Decodes first; prompts in pieces in the rest of the token budget, so that a long prompt never
// holds up those who decode (Agrawal et al. 2024, "Sarathi-Serve"; Holmes et al. 2024,
// "SplitFuse").
class ChunkedScheduler final : public Component, public Scheduler {
 public:
  explicit ChunkedScheduler(const CreateArgs& args);

  void* Query(const char* name) noexcept override { return Offer<Scheduler>(this, name); }
  Status Schedule(const SchedulerView& view, SchedulePlan* plan) noexcept override;

 private:
  int32_t PromptTokens(const SchedulerView& view) const;

  Host& host_;
  const Limits limits_;
  const int32_t chunk_tokens_;  // most prompt tokens of a step; 0: the whole rest of the budget
  const int32_t mixed_chunk_tokens_;  // the same of steps in which some decode; 0: chunk_tokens_
};

}  // namespace tenon::scheduler
