// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "plugins/scheduler/common/limits.h"
#include "tenon/component.h"
#include "tenon/scheduler.h"

namespace tenon::scheduler {

// Sequences join and leave at each step, prompts whole where the token budget allows (Yu et al.
// 2022, "Orca"); the youngest is recomputed where KV blocks run out (Kwon et al. 2023,
// "PagedAttention").
class ContinuousScheduler final : public Component, public Scheduler {
 public:
  explicit ContinuousScheduler(const CreateArgs& args);

  void* Query(const char* name) noexcept override { return Offer<Scheduler>(this, name); }
  Status Schedule(const SchedulerView& view, SchedulePlan* plan) noexcept override;

 private:
  Host& host_;
  const Limits limits_;
};

}  // namespace tenon::scheduler
