// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "tenon/status.h"
#include "tenon/types.h"

namespace tenon {

// What a scheduler may know of a sequence.
struct SequenceState {
  uint64_t id;
  int64_t arrival_us;
  int32_t priority;         // higher goes first
  int32_t known_tokens;     // prompt + generated so far
  int32_t computed_tokens;  // of these, how many have K and V stored; waiting: in kept blocks
  int32_t draft_tokens;     // proposals to verify after the known ones
  int32_t blocks;           // KV blocks held; waiting: those it will share with running ones
  int32_t preemptions;      // times it was sent back to wait
  int32_t shared_blocks;    // of `blocks`, held by others too: not free when it is sent back
  int32_t most_tokens;      // what known_tokens can come to; 0: not said
  int64_t since_us;         // when it began to wait, or to run
};

// Times that a sequence may be sent back.
inline constexpr int32_t kMostPreemptions = 8;

// Everything a decision may depend on. Tokens left to compute for a sequence are known_tokens -
// computed_tokens (+ draft_tokens): more than 1 means prefill, 1 means decode.
struct SchedulerView {
  int64_t now_us;
  Span<const SequenceState> waiting;  // in order of arrival, preempted ones first
  Span<const SequenceState> running;  // hold blocks, in order of admission
  int32_t free_blocks;                // that can be had, kept ones that nobody uses among them
  int32_t total_blocks;
  int32_t block_tokens;
  int32_t
      max_batch_tokens;  // what the Program's buffers hold; a component's own option may be lower
  int32_t max_sequences;
};

// `tokens` of sequence `id` run in the next step: the known ones first, in order, then drafts.
// A waiting sequence that is granted tokens is admitted.
struct Grant {
  uint64_t id;
  int32_t tokens;
};

// The decision. The arrays are the host's: grants [waiting + running], preempted [running].
struct SchedulePlan {
  Grant* grants;
  uint32_t grant_count;
  uint64_t* preempted;  // sent back to wait, blocks freed, to be recomputed; not granted as well
  uint32_t preempted_count;
  int64_t
      wait_us;  // with no grants: ask again after this time or when a request comes; -1: then only
};

// KV blocks that a sequence still needs to hold `tokens` more.
constexpr int32_t BlocksNeeded(const SequenceState& s, int32_t tokens, int32_t block_tokens) {
  const int32_t need = (s.computed_tokens + tokens + block_tokens - 1) / block_tokens;
  return need > s.blocks ? need - s.blocks : 0;
}

// Who runs in the next step: a pure function of the view, without state, clock or randomness of its
// own, so that the same plugin runs in a simulator.
// ENSURES: Σ grant tokens <= max_batch_tokens, grants <= max_sequences, blocks needed by the grants
// <= free_blocks + those of the preempted; nobody is preempted who was kMostPreemptions times; if
// any sequence could run, then some sequence is granted or wait_us > 0.
class Scheduler {
 public:
  static constexpr const char* kName = "tenon.scheduler/1";

  virtual Status Schedule(const SchedulerView& view, SchedulePlan* plan) noexcept = 0;

 protected:
  ~Scheduler() = default;
};

}  // namespace tenon
