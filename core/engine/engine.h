// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <vector>

#include "core/engine/batch_builder.h"
#include "core/engine/request_check.h"
#include "core/engine/sequence_blocks.h"
#include "core/engine/step_picks.h"
#include "core/program/program.h"
#include "tenon/scheduler.h"

namespace tenon::core {

// What an engine is made of. Everything outlives it.
struct EngineParts {
  Program* program = nullptr;
  Device* device = nullptr;
  Scheduler* scheduler = nullptr;
  DecodingChain decoding;
  int32_t vocabulary = 0;
  int32_t adapters = 0;       // that a request can choose from
  bool shared_pages = false;  // attention can read pages that several sequences refer to
  bool prefix_cache = false;  // keep full blocks for requests that begin alike; needs the above
  OffloadStore* offload = nullptr;  // where blocks go that there is no room for; may be null
  int32_t audit_steps = 0;  // for tests: Audit() must hold after so many steps each; 0: never
};

struct EngineStats {
  int64_t steps = 0;
  int64_t prompt_tokens = 0;  // computed, recomputed ones too
  int64_t output_tokens = 0;
  int64_t draft_tokens = 0;     // proposed and verified
  int64_t accepted_tokens = 0;  // of these, right
  int64_t preemptions = 0;
  int64_t prefix_queries = 0;  // prompt tokens that were looked up
  int64_t prefix_hits = 0;     // of these, found: not computed
};

// The loop: the scheduler picks who runs and how many tokens each, a Batch is packed, the Program
// runs it, the decoding chain picks tokens, requests hear of them. Submit and Cancel: any thread;
// the rest: one thread, the engine's.
class Engine {
 public:
  explicit Engine(const EngineParts& parts);
  ~Engine();

  // Queues a request; its number. Refused where it can never run: an empty prompt, ids outside the
  // vocabulary, prompt + max_tokens beyond the context, logit bias on unknown tokens, an adapter
  // that is not there.
  Result<uint64_t> Submit(Request request);

  // Ends a request, or one choice of it, before the next step: the choices get kCancelled, their
  // blocks are free. Unknown and ended ones are ignored.
  void Cancel(uint64_t request, int32_t choice = -1);

  // One step. 0: something ran; > 0: nothing to do for so many microseconds unless a request comes;
  // -1: no request is left.
  int64_t Step();

  // Steps until no request is left, or `stop` is set (checked at each step); then cancels the rest.
  void RunUntilIdle(const volatile bool* stop = nullptr);

  int32_t MaxContext() const { return parts_.program->Limits().max_context; }
  // Blocks that can be had: empty ones, and those kept for later requests that nobody uses.
  int32_t FreeBlocks() const { return blocks_.Free(); }
  int32_t TotalBlocks() const { return blocks_.Total(); }
  const EngineStats& Stats() const { return stats_; }
  // Sequences in the step's turn, and those that wait for their first step or after preemption;
  // requests submitted since the last step are not counted.
  int32_t Running() const { return static_cast<int32_t>(running_.size()); }
  int32_t Waiting() const { return static_cast<int32_t>(waiting_.size()); }

  // What the steps took, by component; estimated from every n-th step, which alone is timed.
  void SampleTiming(int32_t every) { parts_.program->SampleTiming(every); }
  std::vector<ComponentTime> TimeByComponent() const { return parts_.program->TimeByComponent(); }

  // Blocks that went to the offload store and came back, so far.
  int64_t OffloadedBlocks() const { return blocks_.Offloaded(); }
  int64_t RestoredBlocks() const { return blocks_.Restored(); }

  // Requests to come find nothing of what was computed so far. For measurements.
  void ForgetPrefixes() { blocks_.Forget(); }

  // Recounts the references of every block; false if the pool or the prefix cache disagrees. For
  // tests.
  bool Audit() const;

 private:
  using Owned = std::unique_ptr<Sequence>;
  struct Ending {
    uint64_t request;
    int32_t choice;  // -1: all
  };

  void TakeInbox();
  void Enqueue(uint64_t id, std::shared_ptr<const Request> request);
  void ProposeDrafts();
  SchedulerView View();
  void Preempt(Sequence& sequence);
  void Admit(Sequence& sequence);
  void AdmitAll(const SchedulePlan& plan);
  void Pack(const SchedulePlan& plan);
  bool Grow(Sequence& sequence, int32_t tokens);
  bool PreemptForRoom(const Sequence& wanting);
  void Fork(Sequence& parent);
  void ForkAll();
  void Settle();
  void FailAll(const char* error);
  void DropFinished();
  Sequence* Find(uint64_t id);
  Sequence* FindRunning(uint64_t id);
  SequenceState StateOf(const Sequence& sequence) const;

  EngineParts parts_;
  RequestLimits limits_;
  SequenceBlocks blocks_;
  BatchBuilder builder_;
  StepPicks picks_;
  EngineStats stats_;
  std::deque<Owned> waiting_;
  std::vector<Owned> running_;
  std::vector<SequenceState> waiting_view_, running_view_;
  std::vector<Grant> grants_;
  std::vector<uint64_t> preempted_;
  uint64_t next_sequence_ = 1;
  int32_t max_drafts_ = 0;

  std::mutex inbox_mutex_;
  std::vector<std::pair<uint64_t, std::shared_ptr<const Request>>> inbox_;
  std::vector<Ending> cancelled_;
  std::vector<std::pair<uint64_t, std::shared_ptr<const Request>>> arrived_;  // the engine's side
  std::vector<Ending> ending_;
  uint64_t next_request_ = 1;
};

}  // namespace tenon::core
