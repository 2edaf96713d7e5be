// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "plugins/scheduler/common/priority_order.h"
#include "plugins/scheduler/common/step_planner.h"

namespace tenon::scheduler {

// Admits waiting sequences, the higher priority and the earlier arrived first, until tokens, places
// or blocks end. `piece(s)` says how many tokens `s` gets now; 0 ends the round. Nobody overtakes a
// sequence that has to wait for blocks, so a large prompt is not starved by small ones.
template <typename Piece>
void AdmitInOrder(const SchedulerView& view, StepPlanner& planner, Piece piece) {
  if (!planner.may_admit()) return;
  PriorityOrder order(view.waiting);
  while (const SequenceState* s = order.Next()) {
    if (planner.tokens_left() == 0 || planner.sequences_left() == 0) return;
    if (KnownLeft(*s) < 1 || planner.NeverFits(*s)) continue;
    if (!planner.Fits(*s)) {
      if (planner.granted_any()) return;
      continue;  // nothing will free blocks for it, so others may try
    }
    const int32_t tokens = piece(*s);
    if (tokens < 1) return;
    planner.Admit(*s, tokens);
  }
}

}  // namespace tenon::scheduler
