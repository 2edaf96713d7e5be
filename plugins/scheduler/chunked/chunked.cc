// SPDX-License-Identifier: Apache-2.0
#include "plugins/scheduler/chunked/chunked.h"

#include <algorithm>

#include "plugins/scheduler/common/admission.h"
#include "plugins/scheduler/common/step_planner.h"

namespace tenon::scheduler {

ChunkedScheduler::ChunkedScheduler(const CreateArgs& args)
    : host_(*args.host),
      limits_(Limits::From(args.options)),
      chunk_tokens_(static_cast<int32_t>(args.options.Int("chunk_tokens"))) {}

Status ChunkedScheduler::Schedule(const SchedulerView& view, SchedulePlan* plan) noexcept {
  if (const Status status = CheckView(view, host_); status != Status::kOk) return status;
  StepPlanner planner(view, limits_, plan);
  planner.GrantDecodes();
  int32_t prefill_tokens = planner.tokens_left();
  if (chunk_tokens_ > 0) prefill_tokens = std::min(prefill_tokens, chunk_tokens_);
  planner.GrantPrefills(&prefill_tokens);
  AdmitInOrder(view, planner, [&](const SequenceState& s) {
    const int32_t tokens = std::min({KnownLeft(s), planner.tokens_left(), prefill_tokens});
    prefill_tokens -= tokens;
    return tokens;
  });
  planner.GrantDrafts();
  return Status::kOk;
}

}  // namespace tenon::scheduler
