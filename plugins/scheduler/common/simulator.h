// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "plugins/scheduler/common/limits.h"
#include "tenon/scheduler.h"

// Plays requests on a scheduler as the engine would, without a model. For tests.
namespace tenon::scheduler {

struct Request {
  int64_t arrival_us = 0;
  int32_t prompt_tokens = 1;
  int32_t output_tokens = 1;
  int32_t priority = 0;
  int32_t drafts = 0;  // at most so many proposals a step
};

// What the host says in every view.
struct Pool {
  int32_t total_blocks;
  int32_t block_tokens;
  int32_t max_batch_tokens;
  int32_t max_sequences;
  int64_t step_us = 1000;  // what a step takes, besides 10 us a token
};

// One call of Schedule: what it saw and what it said.
struct PlayedStep {
  int64_t now_us;
  std::vector<SequenceState> waiting, running;
  int32_t free_blocks;
  std::vector<Grant> grants;
  std::vector<uint64_t> preempted;
  int64_t wait_us;
};

struct Play {
  std::string violation;  // empty: all that tenon/scheduler.h ensures was kept and everybody ended
  std::vector<PlayedStep> steps;
  std::vector<int64_t> finished_us;  // [requests]; the id of a request is its index

  int32_t preemptions() const;
  // The longest time that anybody waited while others ran.
  int64_t longest_wait_us() const;
};

// One call on a view, for tests of single decisions. The violation says what of the ENSURES, of the
// order of admission, or of purity (a second call must give the same plan) is broken.
// `limits`: what the scheduler must keep besides the view's own.
std::string CallOnce(Scheduler& scheduler, const SchedulerView& view, Limits limits,
                     PlayedStep* step);

// Plays until all requests are done. Random (how many drafts are accepted) from `seed` alone.
// REQUIRES: every request fits in the pool alone.
Play PlayAll(Scheduler& scheduler, const Pool& pool, Limits limits,
             const std::vector<Request>& requests, uint64_t seed);

// A mix of short and long prompts, bursts and gaps, priorities and drafts, all of which fit in
// `pool`.
std::vector<Request> RandomRequests(const Pool& pool, int32_t count, uint64_t seed);

// Random requests on pools from ample to hopelessly small; the first violation, if any. Adds up how
// often a sequence was preempted.
std::string PlayMany(Scheduler& scheduler, Limits limits, int32_t* preemptions);

// Low priorities, whatever comes in above them, and whoever holds the places or the blocks: how
// long one of them waits at most while others run, as long as what comes in can be served at all,
// and nobody was sent back too often. REQUIRES: max_batch_tokens 64, max_sequences 4.
int64_t LongestWaitUnderPressure(Scheduler& scheduler, std::string* violation);

}  // namespace tenon::scheduler
