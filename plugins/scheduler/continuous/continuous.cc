// SPDX-License-Identifier: Apache-2.0
#include "plugins/scheduler/continuous/continuous.h"

#include "plugins/scheduler/common/admission.h"
#include "plugins/scheduler/common/step_planner.h"

namespace tenon::scheduler {

ContinuousScheduler::ContinuousScheduler(const CreateArgs& args)
    : host_(*args.host), limits_(Limits::From(args.options)) {}

Status ContinuousScheduler::Schedule(const SchedulerView& view, SchedulePlan* plan) noexcept {
  if (const Status status = CheckView(view, host_); status != Status::kOk) return status;
  StepPlanner planner(view, limits_, plan);
  const bool may_join = AdmitLongWaiting(view, planner, planner.tokens_left());
  planner.GrantDecodes();
  const int32_t after_decodes = planner.tokens_left();
  int32_t prefill_tokens = after_decodes;
  planner.GrantPrefills(&prefill_tokens);
  if (may_join)
    AdmitInOrder(view, planner, [&](const SequenceState& s) {
      if (KnownLeft(s) <= planner.tokens_left()) return KnownLeft(s);
      // Behind another prompt it waits for a step of its own; where it has that already, there will
      // never be more room, and it is taken in pieces.
      return planner.tokens_left() == after_decodes ? after_decodes : 0;
    });
  planner.GrantDrafts();
  return Status::kOk;
}

}  // namespace tenon::scheduler
