// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "plugins/scheduler/common/limits.h"
#include "tenon/component.h"
#include "tenon/scheduler.h"

namespace tenon::scheduler {

// Admits a batch together when none runs, and runs it until all are done; nobody joins meanwhile.
class StaticScheduler final : public Component, public Scheduler {
 public:
  explicit StaticScheduler(const CreateArgs& args);

  void* Query(const char* name) noexcept override { return Offer<Scheduler>(this, name); }
  Status Schedule(const SchedulerView& view, SchedulePlan* plan) noexcept override;

 private:
  Host& host_;
  const Limits limits_;
};

}  // namespace tenon::scheduler
