// SPDX-License-Identifier: Apache-2.0
#include "sample.h"

#include <algorithm>

namespace first {
namespace {

int32_t KnownLeft(const tenon::SequenceState& s) { return s.known_tokens - s.computed_tokens; }

// The books of one step.
class Step {
 public:
  Step(const tenon::SchedulerView& view, int32_t max_tokens, int32_t max_sequences,
       tenon::SchedulePlan* plan)
      : view_(view),
        plan_(*plan),
        tokens_left_(std::min(max_tokens, view.max_batch_tokens)),
        // Everybody who runs gets a token in each step.
        max_sequences_(std::min({max_sequences, view.max_sequences, tokens_left_})),
        free_(view.free_blocks),
        running_(static_cast<int32_t>(view.running.size)) {
    plan_.grant_count = plan_.preempted_count = 0;
    plan_.wait_us = -1;
    for (const tenon::SequenceState& s : view.running) {
      if (NeverFits(s)) Preempt(s);
    }
  }

  void GrantRunning(bool decodes) {
    for (uint64_t i = 0; i < view_.running.size; ++i) {
      const tenon::SequenceState& s = view_.running[i];
      if ((KnownLeft(s) == 1) == decodes && !IsPreempted(s)) GrantRunning(i);
    }
  }

  // In order; nobody overtakes one that has to wait for blocks, unless nothing would run at all.
  void AdmitWaiting() {
    for (const tenon::SequenceState& s : view_.waiting) {
      if (short_of_blocks_ || tokens_left_ == 0 || running_ >= max_sequences_) return;
      if (KnownLeft(s) < 1 || NeverFits(s)) continue;
      if (BlocksFor(s, KnownLeft(s)) > free_ - promised_) {
        if (plan_.grant_count > 0) return;
        continue;
      }
      ++running_;
      Grant(s, std::min(KnownLeft(s), tokens_left_));
    }
  }

 private:
  int64_t BlocksFor(const tenon::SequenceState& s, int32_t tokens) const {
    return tenon::BlocksNeeded(s, tokens, view_.block_tokens);
  }
  bool NeverFits(const tenon::SequenceState& s) const {
    return BlocksFor(s, std::max(KnownLeft(s), 0)) + s.blocks > view_.total_blocks;
  }
  bool IsPreempted(const tenon::SequenceState& s) const {
    const uint64_t* const ids = plan_.preempted;
    return std::find(ids, ids + plan_.preempted_count, s.id) != ids + plan_.preempted_count;
  }
  bool IsGranted(const tenon::SequenceState& s) const {
    return std::any_of(plan_.grants, plan_.grants + plan_.grant_count,
                       [&](const tenon::Grant& grant) { return grant.id == s.id; });
  }

  void GrantRunning(uint64_t i) {
    const tenon::SequenceState& s = view_.running[i];
    if (tokens_left_ == 0 || static_cast<int32_t>(plan_.grant_count) >= max_sequences_) return;
    const auto room = [&] { return (s.blocks + free_) * view_.block_tokens - s.computed_tokens; };
    // The last admitted give way; one that is itself the last keeps its blocks and waits.
    for (uint64_t last = view_.running.size - 1; room() < 1 && last > i; --last) {
      const tenon::SequenceState& victim = view_.running[last];
      if (!IsPreempted(victim) && !IsGranted(victim)) Preempt(victim);
    }
    const int64_t wanted = std::min(KnownLeft(s), tokens_left_);
    const auto tokens = static_cast<int32_t>(std::min(wanted, room()));
    if (tokens < wanted) short_of_blocks_ = true;
    if (tokens > 0) Grant(s, tokens);
  }

  void Grant(const tenon::SequenceState& s, int32_t tokens) {
    plan_.grants[plan_.grant_count++] = {s.id, tokens};
    tokens_left_ -= tokens;
    free_ -= BlocksFor(s, tokens);
    promised_ += BlocksFor(s, KnownLeft(s)) - BlocksFor(s, tokens);
  }

  void Preempt(const tenon::SequenceState& s) {
    plan_.preempted[plan_.preempted_count++] = s.id;
    free_ += s.blocks;
    --running_;
    short_of_blocks_ = true;
  }

  const tenon::SchedulerView& view_;
  tenon::SchedulePlan& plan_;
  int32_t tokens_left_;
  int32_t max_sequences_;
  int64_t free_;          // blocks that no grant takes
  int64_t promised_ = 0;  // of these, what granted prompts need in later steps
  int32_t running_;
  bool short_of_blocks_ = false;
};

}  // namespace

tenon::Status Sample::Schedule(const tenon::SchedulerView& view,
                               tenon::SchedulePlan* plan) noexcept {
  Step step(view, max_batch_tokens_, max_sequences_, plan);
  step.GrantRunning(true);
  step.GrantRunning(false);
  step.AdmitWaiting();
  return tenon::Status::kOk;
}

}  // namespace first
