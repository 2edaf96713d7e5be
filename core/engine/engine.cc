// SPDX-License-Identifier: Apache-2.0
#include "core/engine/engine.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include "core/engine/sequence_events.h"

namespace tenon::core {
namespace {

// A request whose max_tokens asks for more than this many bytes ahead grows its vector instead.
constexpr int32_t kReserveTokens = 1 << 20;

// Waiting sequences whose prefix is looked for before the scheduler is asked: more than join in a
// step.
constexpr uint64_t kMatched = 64;

RequestLimits LimitsOf(const EngineParts& parts) {
  const ProgramLimits& limits = parts.program->Limits();
  const ProgramMemory& memory = parts.program->Memory();
  return {.vocabulary = parts.vocabulary,
          .adapters = parts.adapters,
          .max_sequences = limits.max_sequences,
          .max_context = limits.max_context,
          .pool_tokens = int64_t{memory.pages} * memory.page_tokens};
}

}  // namespace

Engine::Engine(const EngineParts& parts)
    : parts_(parts),
      limits_(LimitsOf(parts)),
      blocks_(*parts.program, parts.prefix_cache && parts.shared_pages, parts.offload),
      builder_(parts.program->Limits().max_tokens, parts.program->Limits().max_sequences,
               parts.program->Limits().max_logit_rows, std::max(1, parts.program->Memory().pages)),
      picks_(*parts.program, *parts.device, parts_.decoding, parts.vocabulary,
             parts.program->Limits().max_sequences) {
  if (parts_.decoding.drafter != nullptr) max_drafts_ = parts_.decoding.drafter->MaxTokens();
  running_.reserve(static_cast<size_t>(limits_.max_sequences));
}

Engine::~Engine() = default;

Result<uint64_t> Engine::Submit(Request request) {
  TENON_RETURN_IF_ERROR(CheckRequest(request, limits_));
  const std::lock_guard lock(inbox_mutex_);
  inbox_.emplace_back(next_request_, std::make_shared<const Request>(std::move(request)));
  return next_request_++;
}

void Engine::Cancel(uint64_t request, int32_t choice) {
  const std::lock_guard lock(inbox_mutex_);
  cancelled_.push_back({request, choice});
}

void Engine::Enqueue(uint64_t id, std::shared_ptr<const Request> request) {
  // Without shared pages every choice computes the prompt for itself.
  const int32_t copies = parts_.shared_pages ? 1 : request->n;
  for (int32_t choice = 0; choice < copies; ++choice) {
    auto sequence = std::make_unique<Sequence>();
    sequence->id = next_sequence_++;
    sequence->request_id = id;
    sequence->choice = choice;
    sequence->request = request;
    sequence->sampling = request->sampling;
    sequence->sampling.seed += static_cast<uint64_t>(choice);
    sequence->sampling.logit_bias = {request->bias.data(), request->bias.size()};
    sequence->forked = !parts_.shared_pages;
    const int32_t most = static_cast<int32_t>(request->prompt.size()) + request->max_tokens;
    sequence->tokens.reserve(static_cast<size_t>(std::min(most + 1, kReserveTokens)));
    sequence->tokens = request->prompt;
    sequence->drafts.reserve(static_cast<size_t>(max_drafts_));
    blocks_.Open(*sequence, most);
    sequence->arrival_us = sequence->since_us = NowMicroseconds();
    waiting_.push_back(std::move(sequence));
  }
}

void Engine::TakeInbox() {
  // Requests hear of their end outside the lock: they may submit and cancel then.
  {
    const std::lock_guard lock(inbox_mutex_);
    arrived_.swap(inbox_);
    ending_.swap(cancelled_);
  }
  for (auto& [id, request] : arrived_) Enqueue(id, std::move(request));
  arrived_.clear();
  if (ending_.empty()) return;
  const auto cancel = [&](Sequence& sequence) {
    for (const Ending& ending : ending_) {
      if (ending.request != sequence.request_id || sequence.finish != FinishReason::kNone) continue;
      if (ending.choice < 0) {
        Finish(sequence, FinishReason::kCancelled);
      } else {
        CancelChoice(sequence, ending.choice);
      }
    }
  };
  for (Owned& sequence : waiting_) cancel(*sequence);
  for (Owned& sequence : running_) cancel(*sequence);
  ending_.clear();
  DropFinished();
}

void Engine::ProposeDrafts() {
  if (parts_.decoding.drafter == nullptr) return;
  for (Owned& owned : running_) {
    Sequence& sequence = *owned;
    sequence.drafts.clear();
    if (sequence.Known() - sequence.computed != 1) continue;
    const int32_t most = std::min(max_drafts_, sequence.OutputLeft() - 1);
    if (most <= 0) continue;
    const DecodePoint point{.tokens = {sequence.tokens.data(), sequence.tokens.size()},
                            .prompt_tokens = sequence.PromptTokens(),
                            .params = &sequence.sampling};
    sequence.drafts.resize(static_cast<size_t>(most));
    const int32_t got =
        parts_.decoding.drafter->Propose(point, {sequence.drafts.data(), sequence.drafts.size()});
    sequence.drafts.resize(static_cast<size_t>(std::clamp(got, 0, most)));
    for (const int32_t draft : sequence.drafts) {
      if (draft < 0 || draft >= parts_.vocabulary) {
        sequence.drafts.clear();
        break;
      }
    }
  }
}

SequenceState Engine::StateOf(const Sequence& sequence) const {
  return {.id = sequence.id,
          .arrival_us = sequence.arrival_us,
          .priority = sequence.request->priority,
          .known_tokens = sequence.Known(),
          .computed_tokens = sequence.computed,
          .draft_tokens = static_cast<int32_t>(sequence.drafts.size()),
          .blocks = static_cast<int32_t>(sequence.blocks.size()),
          .preemptions = sequence.preemptions,
          .shared_blocks = blocks_.Shared(sequence),
          .most_tokens = sequence.PromptTokens() + sequence.request->max_tokens,
          .since_us = sequence.since_us};
}

SchedulerView Engine::View() {
  waiting_view_.clear();
  running_view_.clear();
  for (const Owned& sequence : waiting_) {
    waiting_view_.push_back(StateOf(*sequence));
    if (waiting_view_.size() > kMatched) continue;
    const PrefixMatch match = blocks_.Match(*sequence);
    waiting_view_.back().computed_tokens = match.tokens;
    waiting_view_.back().blocks = waiting_view_.back().shared_blocks = match.used_blocks;
  }
  for (const Owned& sequence : running_) running_view_.push_back(StateOf(*sequence));
  grants_.resize(waiting_view_.size() + running_view_.size());
  preempted_.resize(running_view_.size());
  const ProgramLimits& limits = parts_.program->Limits();
  return {.now_us = NowMicroseconds(),
          .waiting = {waiting_view_.data(), waiting_view_.size()},
          .running = {running_view_.data(), running_view_.size()},
          .free_blocks = blocks_.Free(),
          .total_blocks = blocks_.Total(),
          .block_tokens = parts_.program->Memory().page_tokens,
          .max_batch_tokens = limits.max_tokens,
          .max_sequences = limits.max_sequences};
}

Sequence* Engine::FindRunning(uint64_t id) {
  for (Owned& sequence : running_) {
    if (sequence->id == id) return sequence.get();
  }
  return nullptr;
}

Sequence* Engine::Find(uint64_t id) {
  if (Sequence* sequence = FindRunning(id)) return sequence;
  for (Owned& sequence : waiting_) {
    if (sequence->id == id) return sequence.get();
  }
  return nullptr;
}

int64_t Engine::Step() {
  TakeInbox();
  if (waiting_.empty() && running_.empty()) return -1;
  ProposeDrafts();
  const SchedulerView view = View();
  SchedulePlan plan{.grants = grants_.data(),
                    .grant_count = 0,
                    .preempted = preempted_.data(),
                    .preempted_count = 0,
                    .wait_us = -1};
  if (parts_.scheduler->Schedule(view, &plan) != Status::kOk) {
    FailAll("the scheduler failed");
    return 0;
  }
  for (uint32_t i = 0; i < plan.preempted_count; ++i) {
    if (Sequence* sequence = Find(plan.preempted[i])) Preempt(*sequence);
  }
  Pack(plan);
  if (builder_.Shares().empty()) {
    if (plan.grant_count > 0 || plan.preempted_count > 0) return 0;
    if (plan.wait_us > 0) return plan.wait_us;
    FailAll(
        "the scheduler granted nothing though requests wait; raise memory.kv_tokens or choose "
        "another scheduler");
    return 0;
  }
  if (parts_.program->Run(builder_.Build()) != Status::kOk) {
    FailAll("the device failed while it ran a step; the log has the reason");
    return 0;
  }
  ++stats_.steps;
  ForkAll();
  picks_.PickAll(builder_.Shares());
  Settle();
  if (parts_.audit_steps > 0 && stats_.steps % parts_.audit_steps == 0) TENON_CHECK(Audit());
  return 0;
}

void Engine::RunUntilIdle(const volatile bool* stop) {
  for (;;) {
    if (stop != nullptr && *stop) {
      for (const Owned& sequence : waiting_) Cancel(sequence->request_id);
      for (const Owned& sequence : running_) Cancel(sequence->request_id);
      TakeInbox();
    }
    const int64_t wait = Step();
    if (wait < 0) return;
    if (wait > 0)
      std::this_thread::sleep_for(std::chrono::microseconds(std::min<int64_t>(wait, 1000)));
  }
}

void Engine::Preempt(Sequence& sequence) {
  const auto it = std::find_if(running_.begin(), running_.end(),
                               [&](const Owned& owned) { return owned.get() == &sequence; });
  if (it == running_.end()) return;
  blocks_.Release(sequence);
  sequence.drafts.clear();
  ++sequence.preemptions;
  sequence.since_us = NowMicroseconds();
  ++stats_.preemptions;
  Owned owned = std::move(*it);
  running_.erase(it);
  waiting_.push_front(std::move(owned));
}

void Engine::Admit(Sequence& sequence) {
  const auto it = std::find_if(waiting_.begin(), waiting_.end(),
                               [&](const Owned& owned) { return owned.get() == &sequence; });
  if (it == waiting_.end()) return;
  running_.push_back(std::move(*it));
  waiting_.erase(it);
  blocks_.Adopt(sequence);
  sequence.since_us = NowMicroseconds();
  if (sequence.queued_us >= 0) return;
  sequence.queued_us = sequence.since_us - sequence.arrival_us;
  sequence.cached_tokens = std::min(sequence.computed, sequence.PromptTokens());
  stats_.prefix_queries += parts_.prefix_cache ? sequence.PromptTokens() : 0;
  stats_.prefix_hits += sequence.cached_tokens;
}

// Before any of them grows: what the scheduler counted as computed must not go to make room.
void Engine::AdmitAll(const SchedulePlan& plan) {
  const auto most = std::min<size_t>(plan.grant_count, static_cast<size_t>(limits_.max_sequences));
  for (size_t i = 0; i < most; ++i) {
    if (plan.grants[i].tokens <= 0) continue;
    if (Sequence* sequence = Find(plan.grants[i].id)) Admit(*sequence);
  }
}

void Engine::Pack(const SchedulePlan& plan) {
  builder_.Clear();
  AdmitAll(plan);
  const auto most = std::min<size_t>(plan.grant_count, static_cast<size_t>(limits_.max_sequences));
  for (size_t i = 0; i < most; ++i) {
    const Grant& grant = plan.grants[i];
    Sequence* sequence = FindRunning(grant.id);
    if (sequence == nullptr) continue;
    const int32_t open = sequence->Known() - sequence->computed;
    int32_t tokens = std::min({grant.tokens, open + static_cast<int32_t>(sequence->drafts.size()),
                               builder_.TokensLeft()});
    while (tokens > 0 && RowsNeeded(*sequence, tokens) > builder_.RowsLeft()) --tokens;
    if (tokens > 0 && Grow(*sequence, tokens)) builder_.Add(*sequence, tokens);
  }
}

bool Engine::Grow(Sequence& sequence, int32_t tokens) {
  for (;;) {
    switch (blocks_.Grow(sequence, tokens)) {
      case Growth::kDone:
        return true;
      case Growth::kNoRoom:
        if (!PreemptForRoom(sequence)) return false;
        break;
      case Growth::kFailed:
        Finish(sequence, FinishReason::kError, "the device failed to copy a page");
        DropFinished();
        return false;
    }
  }
}

// Copies of shared pages are not in the scheduler's account; where they leave no room, the youngest
// running sequence that is not in this step goes back to wait, at last the one that wants room.
bool Engine::PreemptForRoom(const Sequence& wanting) {
  const auto in_step = [&](const Sequence* sequence) {
    const auto& shares = builder_.Shares();
    return std::any_of(shares.begin(), shares.end(),
                       [&](const StepShare& share) { return share.sequence == sequence; });
  };
  const auto youngest = [&](int32_t preemptions) {
    return std::find_if(running_.rbegin(), running_.rend(), [&](const Owned& owned) {
      return owned.get() != &wanting && !owned->blocks.empty() && !in_step(owned.get()) &&
             owned->preemptions < preemptions;
    });
  };
  while (blocks_.Free() == 0) {
    auto victim = youngest(kMostPreemptions);
    if (victim == running_.rend()) victim = youngest(INT32_MAX);
    if (victim == running_.rend()) break;
    Preempt(**victim);
  }
  if (blocks_.Free() > 0) return true;
  if (builder_.Shares().empty()) {
    if (Sequence* self = Find(wanting.id)) Preempt(*self);
  }
  return false;
}

void Engine::Fork(Sequence& parent) {
  parent.forked = true;
  const Request& request = *parent.request;
  for (int32_t choice = parent.choice + 1; choice < request.n; ++choice) {
    if (HasEnded(parent, choice)) continue;
    auto child = std::make_unique<Sequence>(parent);
    child->id = next_sequence_++;
    child->choice = choice;
    child->preemptions = 0;
    child->sampling.seed = request.sampling.seed + static_cast<uint64_t>(choice);
    child->tokens.reserve(parent.tokens.capacity());
    child->blocks.reserve(parent.blocks.capacity());
    child->keys.reserve(parent.keys.capacity());
    blocks_.Share(*child);
    running_.push_back(std::move(child));
  }
}

// Choices of one request start from the same logits: the parent's row serves its children.
void Engine::ForkAll() {
  auto& shares = builder_.Shares();
  const size_t own = shares.size();
  for (size_t i = 0; i < own; ++i) {
    const StepShare share = shares[i];
    Sequence& parent = *share.sequence;
    if (!share.picks || parent.forked) continue;
    const size_t before = running_.size();
    Fork(parent);
    for (size_t child = before; child < running_.size(); ++child) {
      shares.push_back(share);
      shares.back().sequence = running_[child].get();
    }
  }
}

void Engine::Settle() {
  auto& shares = builder_.Shares();
  for (size_t i = 0; i < shares.size(); ++i) {
    const StepShare& share = shares[i];
    Sequence& sequence = *share.sequence;
    const int32_t picks = picks_.Slot(i).picks();
    const int32_t known = share.tokens - share.drafts;
    const int32_t accepted = std::clamp(picks - 1, 0, share.drafts);
    sequence.computed += known + accepted;
    if (sequence.computed <= sequence.PromptTokens()) stats_.prompt_tokens += known;
    stats_.draft_tokens += share.drafts;
    stats_.accepted_tokens += accepted;
    stats_.output_tokens += picks;
    sequence.drafts.clear();
    blocks_.Keep(sequence);
    ReportPicks(sequence, picks_.Slot(i), picks_.KnownBefore(i));
  }
  DropFinished();
}

void Engine::FailAll(const char* error) {
  for (Owned& sequence : waiting_) Finish(*sequence, FinishReason::kError, error);
  for (Owned& sequence : running_) Finish(*sequence, FinishReason::kError, error);
  DropFinished();
}

void Engine::DropFinished() {
  const auto drop = [&](const Owned& sequence) {
    if (sequence->finish == FinishReason::kNone) return false;
    blocks_.Release(*sequence);
    return true;
  };
  std::erase_if(running_, drop);
  std::erase_if(waiting_, drop);
}

bool Engine::Audit() const {
  std::vector<int32_t> held(static_cast<size_t>(blocks_.Total()), 0);
  const auto count = [&](const auto& sequences) {
    for (const Owned& sequence : sequences) {
      for (const int32_t block : sequence->blocks) ++held[static_cast<size_t>(block)];
    }
  };
  count(waiting_);
  count(running_);
  return blocks_.Audit(held);
}

}  // namespace tenon::core
