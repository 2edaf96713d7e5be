// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "plugins/scheduler/common/limits.h"
#include "tenon/component.h"
#include "tenon/scheduler.h"

namespace tenon::scheduler {

// As static, but holds a batch back until its oldest member has waited window_us or it is full.
class DynamicScheduler final : public Component, public Scheduler {
 public:
  explicit DynamicScheduler(const CreateArgs& args);

  void* Query(const char* name) noexcept override { return Offer<Scheduler>(this, name); }
  Status Schedule(const SchedulerView& view, SchedulePlan* plan) noexcept override;

 private:
  Host& host_;
  const Limits limits_;
  const int64_t window_us_;
};

}  // namespace tenon::scheduler
