// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "tenon/scheduler.h"

// Requests played on a scheduler as an engine would, without a model.
namespace tenon::testing {

struct SimulatedRequest {
  int64_t arrival_us;
  int32_t prompt_tokens;
  int32_t output_tokens;
  int32_t priority;
  int32_t drafts;  // at most so many proposals a step
};

// What the host says in every view, and what the component's own options say besides.
struct SimulatedPool {
  int32_t total_blocks;
  int32_t block_tokens;
  int32_t max_batch_tokens;
  int32_t max_sequences;
};

// What a scheduler must not do; each is a test of its own.
enum class Rule : uint8_t {
  kNone,
  kPlan,    // Schedule failed, or the plan names sequences that it may not
  kBudget,  // more tokens or sequences than a step holds
  kBlocks,  // more KV blocks than are free
  kStarve,  // nobody runs who could, or somebody never does
  kPure,    // the same view gave another plan
};

struct SimulationEnd {
  Rule broken = Rule::kNone;
  std::string what;
  int64_t steps = 0;
  int64_t preemptions = 0;
  int64_t grants = 0;
  std::vector<int64_t> trace;  // every grant: id, tokens
};

// Plays until all requests are done, or a rule is broken. What is random (accepted drafts) comes
// from the seed. REQUIRES: each request fits in the pool alone.
SimulationEnd Simulate(Scheduler& scheduler, const SimulatedPool& pool, const SimulatedPool& limits,
                       const std::vector<SimulatedRequest>& requests, uint64_t seed);

// Short and long prompts, bursts and gaps, priorities, drafts; all fit in the pool.
std::vector<SimulatedRequest> RandomRequests(const SimulatedPool& pool, int32_t count,
                                             uint64_t seed);

}  // namespace tenon::testing
