// SPDX-License-Identifier: Apache-2.0
#include "plugins/scheduler/chunked/chunked.h"

#include <algorithm>

#include "plugins/scheduler/common/admission.h"
#include "plugins/scheduler/common/step_planner.h"

namespace tenon::scheduler {

ChunkedScheduler::ChunkedScheduler(const CreateArgs& args)
    : host_(*args.host),
      limits_(Limits::From(args.options)),
      chunk_tokens_(static_cast<int32_t>(args.options.Int("chunk_tokens"))),
      mixed_chunk_tokens_(static_cast<int32_t>(args.options.Int("mixed_chunk_tokens"))) {}

// Prompt tokens that a step of the view may compute.
int32_t ChunkedScheduler::PromptTokens(const SchedulerView& view) const {
  const bool mixed = std::any_of(view.running.begin(), view.running.end(),
                                 [](const SequenceState& s) { return KnownLeft(s) == 1; });
  int32_t tokens = INT32_MAX;
  if (chunk_tokens_ > 0) tokens = chunk_tokens_;
  if (mixed && mixed_chunk_tokens_ > 0) tokens = std::min(tokens, mixed_chunk_tokens_);
  return tokens;
}

Status ChunkedScheduler::Schedule(const SchedulerView& view, SchedulePlan* plan) noexcept {
  if (const Status status = CheckView(view, host_); status != Status::kOk) return status;
  StepPlanner planner(view, limits_, plan);
  const int32_t all_tokens = planner.tokens_left();
  const int32_t prompt_tokens = PromptTokens(view);
  const bool may_join = AdmitLongWaiting(view, planner, prompt_tokens);
  const int32_t admitted_tokens = all_tokens - planner.tokens_left();
  planner.GrantDecodes();
  int32_t prefill_tokens = std::min(planner.tokens_left(), prompt_tokens - admitted_tokens);
  planner.GrantPrefills(&prefill_tokens);
  if (may_join)
    AdmitInOrder(view, planner, [&](const SequenceState& s) {
      const int32_t tokens = std::min({KnownLeft(s), planner.tokens_left(), prefill_tokens});
      prefill_tokens -= tokens;
      return tokens;
    });
  planner.GrantDrafts();
  return Status::kOk;
}

}  // namespace tenon::scheduler
