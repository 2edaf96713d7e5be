// SPDX-License-Identifier: Apache-2.0
#include "plugins/scheduler/dynamic/dynamic.h"

#include <algorithm>

#include "plugins/scheduler/common/whole_batch.h"

namespace tenon::scheduler {

DynamicScheduler::DynamicScheduler(const CreateArgs& args)
    : host_(*args.host),
      limits_(Limits::From(args.options)),
      window_us_(args.options.Int("window_us")) {}

Status DynamicScheduler::Schedule(const SchedulerView& view, SchedulePlan* plan) noexcept {
  if (const Status status = CheckView(view, host_); status != Status::kOk) return status;
  StepPlanner planner(view, limits_, plan);
  if (!planner.batch_empty()) {
    RunBatch(view, planner);
    return Status::kOk;
  }
  AdmitAged(view, planner);
  const WholeBatch batch = SelectBatch(view, planner);
  if (batch.members == 0) return Status::kOk;
  const int64_t waited_us = std::max<int64_t>(view.now_us - batch.oldest_arrival_us, 0);
  if (planner.granted_any() || batch.full || waited_us >= window_us_) {
    AdmitBatch(view, batch, planner);
  } else {
    plan->wait_us = window_us_ - waited_us;
  }
  return Status::kOk;
}

}  // namespace tenon::scheduler
