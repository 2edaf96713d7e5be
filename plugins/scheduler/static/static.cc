// SPDX-License-Identifier: Apache-2.0
#include "plugins/scheduler/static/static.h"

#include "plugins/scheduler/common/whole_batch.h"

namespace tenon::scheduler {

StaticScheduler::StaticScheduler(const CreateArgs& args)
    : host_(*args.host), limits_(Limits::From(args.options)) {}

Status StaticScheduler::Schedule(const SchedulerView& view, SchedulePlan* plan) noexcept {
  if (const Status status = CheckView(view, host_); status != Status::kOk) return status;
  StepPlanner planner(view, limits_, plan);
  if (planner.batch_empty()) {
    AdmitAged(view, planner);
    AdmitBatch(view, SelectBatch(view, planner), planner);
  } else {
    RunBatch(view, planner);
  }
  return Status::kOk;
}

}  // namespace tenon::scheduler
