// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

#include "plugins/scheduler/common/limits.h"
#include "tenon/scheduler.h"

namespace tenon::scheduler {

// Known tokens of `s` that are still to be computed: 1 in decode, more in prefill.
constexpr int32_t KnownLeft(const SequenceState& s) { return s.known_tokens - s.computed_tokens; }

// What it may still come to, as far as that is known.
constexpr int32_t MostLeft(const SequenceState& s) {
  return std::max(s.most_tokens, s.known_tokens) - s.computed_tokens;
}

// Sent back so often that it must not be again: blocks for all that it may come to are reserved.
constexpr bool Stays(const SequenceState& s) { return s.preemptions >= kMostPreemptions; }

// Writes one SchedulePlan and keeps its books: tokens, sequences and KV blocks. What is granted
// through it keeps the ENSURES of tenon/scheduler.h. Lives during one Schedule call and allocates
// nothing.
class StepPlanner {
 public:
  // REQUIRES: CheckView(view) is kOk; `plan` has the arrays that tenon/scheduler.h promises.
  // Running sequences that the whole pool cannot hold any more are sent back at once.
  StepPlanner(const SchedulerView& view, Limits limits, SchedulePlan* plan);

  // Decodes of running sequences: one token each, the higher priority and the earlier admitted
  // first.
  void GrantDecodes();

  // Prompts of running sequences, in the same order, in pieces of what is left of
  // `*prefill_tokens`.
  void GrantPrefills(int32_t* prefill_tokens);

  // Drafts, where every known token of a sequence is granted and tokens and blocks are left.
  void GrantDrafts();

  // Blocks that the waiting `s` needs to be admitted: for all its known tokens, or where it then
  // stays, for all that may come.
  int32_t Need(const SequenceState& s) const {
    return BlocksNeeded(s, Stays(s) ? MostLeft(s) : KnownLeft(s), view_.block_tokens);
  }

  // Whether the waiting `s` can be admitted with the blocks that it needs besides what the running
  // prompts still need.
  bool Fits(const SequenceState& s) const;

  // Sends back who ran for longest, of the lowest priority first, until the waiting `s` fits;
  // nobody where that is not enough. REQUIRES: nothing was granted so far.
  bool MakeRoom(const SequenceState& s);

  // Admits `s` with its next `tokens` tokens and sets blocks aside for the others that it knows.
  // REQUIRES: Fits(s), 1 <= tokens <= min(KnownLeft(s), tokens_left()), sequences_left() > 0.
  void Admit(const SequenceState& s, int32_t tokens);

  // Whether all blocks of the pool together could hold what `s` knows.
  bool NeverFits(const SequenceState& s) const {
    return BlocksNeeded(s, std::max(KnownLeft(s), 0), view_.block_tokens) + int64_t{s.blocks} >
           view_.total_blocks;
  }

  // False once a running sequence got fewer tokens than it asked for because blocks ran out: nobody
  // may join then.
  bool may_admit() const { return !short_of_blocks_; }
  int32_t tokens_left() const { return tokens_left_; }
  // How many more may join. Everybody who runs must get a token in each step, so this is bounded by
  // the tokens of a step too.
  int32_t sequences_left() const { return std::max(sequence_limit_ - in_batch_, 0); }
  bool batch_empty() const { return in_batch_ == 0; }
  int32_t in_batch() const { return in_batch_; }  // running and admitted
  bool Granted(const SequenceState& s) const { return GrantOf(s) != nullptr; }
  bool granted_any() const { return plan_.grant_count > 0; }

 private:
  int64_t Reserve(const SequenceState& s) const;
  int64_t Room(const SequenceState& s) const;
  const SequenceState* LongestRunning() const;
  bool Left(const SequenceState& s) const;       // was it preempted in this plan?
  Grant* GrantOf(const SequenceState& s) const;  // null: none so far
  const SequenceState* YoungestBelow(const SequenceState& s) const;
  void Preempt(const SequenceState& s);
  int32_t GrantRunning(const SequenceState& s, int32_t wanted);
  void Write(const SequenceState& s, int32_t tokens);

  const SchedulerView& view_;
  SchedulePlan& plan_;
  int32_t tokens_left_;
  int32_t sequence_limit_;
  int32_t grants_left_;
  int32_t in_batch_;       // running and admitted, without the preempted
  int64_t free_;           // blocks not yet given to a grant
  int64_t set_aside_ = 0;  // of these, what granted prompts will need in later steps
  int64_t reserved_ = 0;   // of these, for those who stay
  bool short_of_blocks_ = false;
};

}  // namespace tenon::scheduler
