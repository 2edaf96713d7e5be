// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "plugins/scheduler/common/priority_order.h"
#include "plugins/scheduler/common/step_planner.h"

namespace tenon::scheduler {

// Whoever waited for so long goes before everybody else,
inline constexpr int64_t kLongWait = 20'000'000;  // us
// and where nobody joined for so long, takes the place of one who runs.
inline constexpr int64_t kStandstill = 1'000'000;  // us

// Admits the sequence that waited for longest, if that is too long, with up to `most_tokens`
// tokens. False: it could not, and nobody else may join, so that blocks gather for it. One a step;
// what is sent back for it comes back the same way. REQUIRES: nothing was granted so far.
inline bool AdmitLongWaiting(const SchedulerView& view, StepPlanner& planner, int32_t most_tokens) {
  const SequenceState* first = nullptr;
  for (const SequenceState& s : view.waiting) {
    const bool long_wait = view.now_us - std::max(s.since_us, s.arrival_us) >= kLongWait;
    if (!long_wait || KnownLeft(s) < 1 || planner.NeverFits(s)) continue;
    if (first == nullptr || s.since_us < first->since_us) first = &s;
  }
  if (first == nullptr) return true;
  if (!planner.Fits(*first) || planner.sequences_left() < 1) {
    for (const SequenceState& s : view.running) {
      if (view.now_us - s.since_us < kStandstill) return false;
    }
    if (!planner.MakeRoom(*first)) return false;
  }
  // Everybody who runs gets a token of this step.
  const int32_t spare = planner.tokens_left() - planner.in_batch();
  planner.Admit(*first, std::min({KnownLeft(*first), std::max(most_tokens, 1), spare}));
  return true;
}

// Admits waiting sequences, the higher priority and the earlier arrived first, until tokens, places
// or blocks end. `piece(s)` says how many tokens `s` gets now; 0 ends the round. Nobody overtakes a
// sequence that has to wait for blocks, so a large prompt is not starved by small ones.
template <typename Piece>
void AdmitInOrder(const SchedulerView& view, StepPlanner& planner, Piece piece) {
  if (!planner.may_admit()) return;
  PriorityOrder order(view.waiting);
  while (const SequenceState* s = order.Next()) {
    if (planner.tokens_left() == 0 || planner.sequences_left() == 0) return;
    if (KnownLeft(*s) < 1 || planner.NeverFits(*s) || planner.Granted(*s)) continue;
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
