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
  Host& host_;
  const Limits limits_;
  const int32_t chunk_tokens_;  // most prompt tokens of a step; 0: the whole rest of the budget
};

}  // namespace tenon::scheduler
