// SPDX-License-Identifier: Apache-2.0
#include "plugins/scheduler/common/whole_batch.h"

#include <algorithm>

#include "plugins/scheduler/common/admission.h"
#include "plugins/scheduler/common/priority_order.h"

namespace tenon::scheduler {

WholeBatch SelectBatch(const SchedulerView& view, const StepPlanner& planner) {
  WholeBatch batch;
  int64_t free = view.free_blocks;
  PriorityOrder order(view.waiting);
  while (const SequenceState* s = order.Next()) {
    if (batch.members == planner.sequences_left()) break;
    if (KnownLeft(*s) < 1 || planner.NeverFits(*s)) continue;
    const int32_t need = planner.Need(*s);
    if (planner.Granted(*s)) {
      free -= need;
      continue;
    }
    if (need > free) {
      if (batch.members == 0) continue;
      batch.full = true;
      break;
    }
    free -= need;
    batch.oldest_arrival_us =
        batch.members == 0 ? s->arrival_us : std::min(batch.oldest_arrival_us, s->arrival_us);
    ++batch.members;
  }
  batch.full = batch.full || batch.members == planner.sequences_left();
  return batch;
}

void AdmitBatch(const SchedulerView& view, const WholeBatch& batch, StepPlanner& planner) {
  int32_t to_come = batch.members;
  PriorityOrder order(view.waiting);
  while (to_come > 0) {
    const SequenceState* s = order.Next();
    if (s == nullptr) return;
    if (KnownLeft(*s) < 1 || planner.NeverFits(*s) || planner.Granted(*s)) continue;
    if (!planner.Fits(*s)) continue;
    --to_come;
    planner.Admit(*s, std::min(KnownLeft(*s), planner.tokens_left() - to_come));
  }
}

void AdmitAged(const SchedulerView& view, StepPlanner& planner) {
  // Whoever else begins gets a token of this step.
  AdmitLongWaiting(view, planner, planner.tokens_left() - planner.sequences_left());
}

void RunBatch(const SchedulerView& view, StepPlanner& planner) {
  AdmitLongWaiting(view, planner, planner.tokens_left());
  planner.GrantDecodes();
  int32_t prefill_tokens = planner.tokens_left();
  planner.GrantPrefills(&prefill_tokens);
  planner.GrantDrafts();
}

}  // namespace tenon::scheduler
