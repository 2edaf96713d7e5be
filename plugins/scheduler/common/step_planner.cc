// SPDX-License-Identifier: Apache-2.0
#include "plugins/scheduler/common/step_planner.h"

#include "plugins/scheduler/common/priority_order.h"

namespace tenon::scheduler {
namespace {

// Whether `a` gives way to `b` when blocks run out. List order breaks ties of arrival.
bool Younger(const SequenceState& a, const SequenceState& b) {
  if (a.priority != b.priority) return a.priority < b.priority;
  if (a.arrival_us != b.arrival_us) return a.arrival_us > b.arrival_us;
  return &a > &b;
}

}  // namespace

StepPlanner::StepPlanner(const SchedulerView& view, Limits limits, SchedulePlan* plan)
    : view_(view), plan_(*plan), free_(view.free_blocks) {
  const Limits bound = limits.Within(view);
  tokens_left_ = bound.batch_tokens;
  sequence_limit_ = std::min(bound.sequences, bound.batch_tokens);
  grants_left_ = bound.sequences;
  in_batch_ = static_cast<int32_t>(view.running.size);
  plan_.grant_count = 0;
  plan_.preempted_count = 0;
  plan_.wait_us = -1;
  for (const SequenceState& s : view.running) {
    if (NeverFits(s)) {
      Preempt(s);
    } else {
      reserved_ += Reserve(s);
    }
  }
}

void StepPlanner::GrantDecodes() {
  PriorityOrder order(view_.running);
  while (const SequenceState* s = order.Next()) {
    if (tokens_left_ == 0 || grants_left_ == 0) return;
    if (KnownLeft(*s) == 1 && !Left(*s)) GrantRunning(*s, 1);
  }
}

void StepPlanner::GrantPrefills(int32_t* prefill_tokens) {
  PriorityOrder order(view_.running);
  while (const SequenceState* s = order.Next()) {
    const int32_t most = std::min(tokens_left_, *prefill_tokens);
    if (most <= 0 || grants_left_ == 0) return;
    if (KnownLeft(*s) <= 1 || Left(*s)) continue;
    *prefill_tokens -= GrantRunning(*s, std::min(KnownLeft(*s), most));
  }
}

void StepPlanner::GrantDrafts() {
  PriorityOrder order(view_.running);
  while (const SequenceState* s = order.Next()) {
    if (tokens_left_ == 0) return;
    if (s->draft_tokens <= 0) continue;
    Grant* const grant = GrantOf(*s);
    if (grant == nullptr || grant->tokens < KnownLeft(*s)) continue;
    const int64_t held = BlocksNeeded(*s, grant->tokens, view_.block_tokens);
    const int64_t spare = std::max<int64_t>(free_ - set_aside_ - reserved_, 0);
    const int64_t slots = (s->blocks + held + spare) * view_.block_tokens;
    const int64_t room = slots - s->computed_tokens - grant->tokens;
    const int32_t drafts =
        static_cast<int32_t>(std::clamp<int64_t>(room, 0, std::min(s->draft_tokens, tokens_left_)));
    grant->tokens += drafts;
    tokens_left_ -= drafts;
    free_ -= BlocksNeeded(*s, grant->tokens, view_.block_tokens) - held;
  }
}

bool StepPlanner::Fits(const SequenceState& s) const {
  return Need(s) <= free_ - set_aside_ - reserved_;
}

bool StepPlanner::MakeRoom(const SequenceState& s) {
  int64_t most = free_ - reserved_;
  int32_t places = sequences_left();
  for (const SequenceState& other : view_.running) {
    if (Left(other) || Stays(other)) continue;
    most += other.blocks - other.shared_blocks;
    ++places;
  }
  if (most < Need(s) || places < 1) return false;
  while (!Fits(s) || sequences_left() < 1) {
    const SequenceState* longest = LongestRunning();
    if (longest == nullptr) return false;
    Preempt(*longest);
  }
  return true;
}

void StepPlanner::Admit(const SequenceState& s, int32_t tokens) {
  ++in_batch_;
  reserved_ += Reserve(s);
  Write(s, tokens);
}

// Blocks beyond its own that are kept for a sequence that stays.
int64_t StepPlanner::Reserve(const SequenceState& s) const {
  return Stays(s) ? BlocksNeeded(s, MostLeft(s), view_.block_tokens) : 0;
}

// Tokens beyond the computed ones that fit in its own blocks and those free for it.
int64_t StepPlanner::Room(const SequenceState& s) const {
  const int64_t free = std::max<int64_t>(free_ - reserved_ + Reserve(s), 0);
  return (s.blocks + free) * view_.block_tokens - s.computed_tokens;
}

const SequenceState* StepPlanner::LongestRunning() const {
  const SequenceState* longest = nullptr;
  for (const SequenceState& s : view_.running) {
    if (Left(s) || Stays(s)) continue;
    const bool first = longest == nullptr || s.priority < longest->priority ||
                       (s.priority == longest->priority && s.since_us < longest->since_us);
    if (first) longest = &s;
  }
  return longest;
}

bool StepPlanner::Left(const SequenceState& s) const {
  for (uint32_t i = 0; i < plan_.preempted_count; ++i) {
    if (plan_.preempted[i] == s.id) return true;
  }
  return false;
}

Grant* StepPlanner::GrantOf(const SequenceState& s) const {
  for (uint32_t i = 0; i < plan_.grant_count; ++i) {
    if (plan_.grants[i].id == s.id) return &plan_.grants[i];
  }
  return nullptr;
}

const SequenceState* StepPlanner::YoungestBelow(const SequenceState& s) const {
  const SequenceState* youngest = &s;
  for (const SequenceState& other : view_.running) {
    if (other.blocks > 0 && !Stays(other) && Younger(other, *youngest) && !Left(other) &&
        GrantOf(other) == nullptr) {
      youngest = &other;
    }
  }
  return youngest == &s ? nullptr : youngest;
}

void StepPlanner::Preempt(const SequenceState& s) {
  plan_.preempted[plan_.preempted_count++] = s.id;
  free_ += s.blocks - s.shared_blocks;
  --in_batch_;
}

// Recomputes the youngest where not even one token fits. Where `s` is itself the youngest it keeps
// its blocks and waits: the older ones end, and nothing is computed twice.
int32_t StepPlanner::GrantRunning(const SequenceState& s, int32_t wanted) {
  while (Room(s) < 1) {
    const SequenceState* victim = YoungestBelow(s);
    short_of_blocks_ = true;
    if (victim == nullptr) return 0;
    Preempt(*victim);
  }
  const int32_t tokens = static_cast<int32_t>(std::min<int64_t>(wanted, Room(s)));
  if (tokens < wanted) short_of_blocks_ = true;
  Write(s, tokens);
  return tokens;
}

void StepPlanner::Write(const SequenceState& s, int32_t tokens) {
  plan_.grants[plan_.grant_count++] = {s.id, tokens};
  tokens_left_ -= tokens;
  --grants_left_;
  const int32_t now = BlocksNeeded(s, tokens, view_.block_tokens);
  free_ -= now;
  if (Stays(s)) {
    reserved_ -= now;
  } else {
    set_aside_ += BlocksNeeded(s, KnownLeft(s), view_.block_tokens) - now;
  }
}

}  // namespace tenon::scheduler
