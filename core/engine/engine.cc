// SPDX-License-Identifier: Apache-2.0
#include "core/engine/engine.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include "fmt/format.h"

namespace tenon::core {
namespace {

// A request whose max_tokens asks for more than this many bytes ahead grows its vector instead.
constexpr int32_t kReserveTokens = 1 << 20;

int64_t NowMicroseconds() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

int32_t MaxBlocks(const Program& program) {
  const ProgramMemory& memory = program.Memory();
  return std::max(1, memory.pages);
}

Error Refused(std::string message) { return {Status::kInvalid, std::move(message)}; }

}  // namespace

Engine::Engine(const EngineParts& parts)
    : parts_(parts),
      pool_(parts.program->Memory().pages),
      builder_(parts.program->Limits().max_tokens, parts.program->Limits().max_sequences,
               parts.program->Limits().max_logit_rows, MaxBlocks(*parts.program)) {
  if (parts_.decoding.drafter != nullptr) max_drafts_ = parts_.decoding.drafter->MaxTokens();
  const auto sequences = static_cast<size_t>(parts.program->Limits().max_sequences);
  const uint64_t scratch = parts_.decoding.sampler->ScratchBytes(parts_.vocabulary);
  for (size_t i = 0; i < sequences; ++i) {
    slots_.push_back(std::make_unique<PickSlot>(parts_.vocabulary, scratch, max_drafts_ + 1));
  }
  known_before_.resize(sequences);
  running_.reserve(sequences);
}

Engine::~Engine() = default;

Result<uint64_t> Engine::Submit(Request request) {
  if (request.prompt.empty()) return Refused("the prompt has no tokens; give at least one");
  for (const int32_t id : request.prompt) {
    if (id < 0 || id >= parts_.vocabulary) {
      return Refused(
          fmt::format("token id {} is outside the vocabulary of {}", id, parts_.vocabulary));
    }
  }
  for (const TokenBias& bias : request.bias) {
    if (bias.token < 0 || bias.token >= parts_.vocabulary) {
      return Refused(fmt::format("logit_bias names token {}; the vocabulary has {}", bias.token,
                                 parts_.vocabulary));
    }
  }
  if (request.n < 1 || request.n > parts_.program->Limits().max_sequences) {
    return Refused(
        fmt::format("n is {}; 1 to {} allowed", request.n, parts_.program->Limits().max_sequences));
  }
  if (request.adapter < -1 || request.adapter >= parts_.adapters) {
    return Refused(fmt::format(
        "adapter is {}; -1 for none{} allowed", request.adapter,
        parts_.adapters > 0 ? fmt::format(", 0 to {}", parts_.adapters - 1) : std::string()));
  }
  if (request.max_tokens < 0) return Refused("max_tokens is below 0");
  const auto all = static_cast<int64_t>(request.prompt.size()) + request.max_tokens;
  if (all > MaxContext()) {
    return Refused(
        fmt::format("prompt of {} tokens + max_tokens {} is {}; the context holds {} "
                    "(memory.context_tokens)",
                    request.prompt.size(), request.max_tokens, all, MaxContext()));
  }
  const std::lock_guard lock(inbox_mutex_);
  inbox_.emplace_back(next_request_, std::make_shared<const Request>(std::move(request)));
  return next_request_++;
}

void Engine::Cancel(uint64_t request) {
  const std::lock_guard lock(inbox_mutex_);
  cancelled_.push_back(request);
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
    const int32_t page = std::max(1, parts_.program->Memory().page_tokens);
    sequence->blocks.reserve(static_cast<size_t>(most / page + 2));
    sequence->arrival_us = NowMicroseconds();
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
    const bool named =
        std::find(ending_.begin(), ending_.end(), sequence.request_id) != ending_.end();
    if (named && sequence.finish == FinishReason::kNone) Finish(sequence, FinishReason::kCancelled);
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

SequenceState Engine::StateOf(const Sequence& sequence) {
  return {.id = sequence.id,
          .arrival_us = sequence.arrival_us,
          .priority = sequence.request->priority,
          .known_tokens = sequence.Known(),
          .computed_tokens = sequence.computed,
          .draft_tokens = static_cast<int32_t>(sequence.drafts.size()),
          .blocks = static_cast<int32_t>(sequence.blocks.size()),
          .preemptions = sequence.preemptions};
}

SchedulerView Engine::View() {
  waiting_view_.clear();
  running_view_.clear();
  for (const Owned& sequence : waiting_) waiting_view_.push_back(StateOf(*sequence));
  for (const Owned& sequence : running_) running_view_.push_back(StateOf(*sequence));
  grants_.resize(waiting_view_.size() + running_view_.size());
  preempted_.resize(running_view_.size());
  const ProgramLimits& limits = parts_.program->Limits();
  return {.now_us = NowMicroseconds(),
          .waiting = {waiting_view_.data(), waiting_view_.size()},
          .running = {running_view_.data(), running_view_.size()},
          .free_blocks = pool_.Free(),
          .total_blocks = pool_.Total(),
          .block_tokens = parts_.program->Memory().page_tokens,
          .max_batch_tokens = limits.max_tokens,
          .max_sequences = limits.max_sequences};
}

Sequence* Engine::Find(uint64_t id) {
  for (Owned& sequence : running_) {
    if (sequence->id == id) return sequence.get();
  }
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
  PickAll();
  Settle();
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
  for (const int32_t block : sequence.blocks) pool_.Release(block);
  sequence.blocks.clear();
  sequence.drafts.clear();
  sequence.computed = 0;
  ++sequence.preemptions;
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
}

void Engine::Pack(const SchedulePlan& plan) {
  builder_.Clear();
  const auto most = std::min<size_t>(plan.grant_count, slots_.size());
  for (size_t i = 0; i < most; ++i) {
    const Grant& grant = plan.grants[i];
    Sequence* sequence = Find(grant.id);
    if (sequence == nullptr) continue;
    const int32_t open = sequence->Known() - sequence->computed;
    int32_t tokens = std::min({grant.tokens, open + static_cast<int32_t>(sequence->drafts.size()),
                               builder_.TokensLeft()});
    while (tokens > 0 && RowsNeeded(*sequence, tokens) > builder_.RowsLeft()) --tokens;
    if (tokens <= 0) continue;
    Admit(*sequence);
    if (!GrowBlocks(*sequence, tokens)) continue;
    known_before_[builder_.Shares().size()] = sequence->Known();
    builder_.Add(*sequence, tokens);
  }
}

bool Engine::MakeWritable(Sequence& sequence, size_t block) {
  if (!pool_.Shared(sequence.blocks[block])) return true;
  if (pool_.Free() == 0 && !PreemptForRoom(sequence)) return false;
  const int32_t mine = pool_.Take();
  if (parts_.program->CopyPage(sequence.blocks[block], mine) != Status::kOk) {
    pool_.Release(mine);
    return false;
  }
  pool_.Release(sequence.blocks[block]);
  sequence.blocks[block] = mine;
  return true;
}

bool Engine::GrowBlocks(Sequence& sequence, int32_t tokens) {
  const int32_t page = parts_.program->Memory().page_tokens;
  if (page == 0) return true;
  const auto need = static_cast<size_t>((sequence.computed + tokens + page - 1) / page);
  while (sequence.blocks.size() < need) {
    if (pool_.Free() == 0 && !PreemptForRoom(sequence)) return false;
    sequence.blocks.push_back(pool_.Take());
  }
  for (auto block = static_cast<size_t>(sequence.computed / page); block < need; ++block) {
    if (!MakeWritable(sequence, block)) return false;
  }
  return true;
}

// Copies of shared pages are not in the scheduler's account; where they leave no room, the youngest
// running sequence that is not in this step goes back to wait, at last the one that wants room.
bool Engine::PreemptForRoom(const Sequence& wanting) {
  const auto in_step = [&](const Sequence* sequence) {
    const auto& shares = builder_.Shares();
    return std::any_of(shares.begin(), shares.end(),
                       [&](const StepShare& share) { return share.sequence == sequence; });
  };
  while (pool_.Free() == 0) {
    const auto victim = std::find_if(running_.rbegin(), running_.rend(), [&](const Owned& owned) {
      return owned.get() != &wanting && !owned->blocks.empty() && !in_step(owned.get());
    });
    if (victim == running_.rend()) break;
    Preempt(**victim);
  }
  if (pool_.Free() > 0) return true;
  if (builder_.Shares().empty()) {
    if (Sequence* self = Find(wanting.id)) Preempt(*self);
  }
  return false;
}

void Engine::Fork(Sequence& parent) {
  parent.forked = true;
  const Request& request = *parent.request;
  for (int32_t choice = 1; choice < request.n; ++choice) {
    auto child = std::make_unique<Sequence>(parent);
    child->id = next_sequence_++;
    child->choice = choice;
    child->sampling.seed = request.sampling.seed + static_cast<uint64_t>(choice);
    child->tokens.reserve(parent.tokens.capacity());
    child->blocks.reserve(parent.blocks.capacity());
    for (const int32_t block : child->blocks) pool_.Share(block);
    running_.push_back(std::move(child));
  }
}

void Engine::PickAll() {
  // Choices of one request start from the same logits: the parent's row serves its children.
  auto& shares = builder_.Shares();
  const size_t own = shares.size();
  for (size_t i = 0; i < own; ++i) {
    const StepShare share = shares[i];
    Sequence& parent = *share.sequence;
    if (!share.picks || parent.forked || parent.request->n == 1) continue;
    const size_t before = running_.size();
    Fork(parent);
    for (size_t child = before; child < running_.size(); ++child) {
      Sequence& sequence = *running_[child];
      known_before_.resize(std::max(known_before_.size(), shares.size() + 1));
      known_before_[shares.size()] = sequence.Known();
      if (slots_.size() <= shares.size()) {
        slots_.push_back(std::make_unique<PickSlot>(
            parts_.vocabulary, parts_.decoding.sampler->ScratchBytes(parts_.vocabulary),
            max_drafts_ + 1));
      }
      StepShare copy = share;
      copy.sequence = &sequence;
      shares.push_back(copy);
    }
  }
  parts_.device->ParallelFor(
      static_cast<int64_t>(shares.size()),
      [](void* self, int64_t i) noexcept {
        static_cast<Engine*>(self)->PickShare(static_cast<size_t>(i));
      },
      this);
}

void Engine::PickShare(size_t index) {
  const StepShare& share = builder_.Shares()[index];
  Sequence& sequence = *share.sequence;
  PickSlot& slot = *slots_[index];
  slot.Clear();
  if (sequence.request->on_prompt_logprobs) {
    // Row r belongs to slot computed + r and tells of the token after it.
    for (int32_t row = 0; row < share.rows; ++row) {
      const int32_t next = sequence.computed + row + 1;
      if (next >= sequence.PromptTokens()) break;
      if (static_cast<int32_t>(sequence.prompt_logprobs.size()) >= next) continue;
      const Span<float> logits = slot.Logits();
      if (parts_.program->ReadRow(share.first_row + row, logits.data) != Status::kOk) return;
      const auto token = static_cast<uint64_t>(sequence.tokens[static_cast<size_t>(next)]);
      sequence.prompt_logprobs.push_back(static_cast<float>(logits[token] - LogSumExp(logits)));
      if (sequence.request->on_prompt_logits) sequence.request->on_prompt_logits(next, logits);
    }
  }
  if (!share.picks || sequence.OutputLeft() <= 0) return;
  const Request& request = *sequence.request;
  const int32_t first_row = share.first_row + share.rows - share.drafts - 1;
  for (int32_t i = 0; i <= share.drafts; ++i) {
    if (parts_.program->ReadRow(first_row + i, slot.Logits().data) != Status::kOk) return;
    const int32_t token = slot.Pick(parts_.decoding, sequence);
    const bool stops = std::find(request.stop_tokens.begin(), request.stop_tokens.end(), token) !=
                       request.stop_tokens.end();
    if (stops || sequence.OutputLeft() <= 0) return;
    if (i < share.drafts && sequence.drafts[static_cast<size_t>(i)] != token) return;
  }
}

void Engine::Settle() {
  auto& shares = builder_.Shares();
  for (size_t i = 0; i < shares.size(); ++i) {
    const StepShare& share = shares[i];
    Sequence& sequence = *share.sequence;
    const int32_t picks = slots_[i]->picks();
    const int32_t known = share.tokens - share.drafts;
    const int32_t accepted = std::clamp(picks - 1, 0, share.drafts);
    sequence.computed += known + accepted;
    if (sequence.computed <= sequence.PromptTokens()) stats_.prompt_tokens += known;
    stats_.draft_tokens += share.drafts;
    stats_.accepted_tokens += accepted;
    stats_.output_tokens += picks;
    sequence.drafts.clear();
    Report(sequence, *slots_[i], known_before_[i]);
  }
  DropFinished();
}

void Engine::Report(Sequence& sequence, const PickSlot& slot, int32_t first_known) {
  const Request& request = *sequence.request;
  if (request.on_prompt_logprobs && sequence.computed >= sequence.PromptTokens() &&
      sequence.OutputTokens() <= slot.picks()) {
    request.on_prompt_logprobs({sequence.prompt_logprobs.data(), sequence.prompt_logprobs.size()});
  }
  for (int32_t pick = 0; pick < slot.picks(); ++pick) {
    const int32_t token = sequence.tokens[static_cast<size_t>(first_known + pick)];
    const bool stops = std::find(request.stop_tokens.begin(), request.stop_tokens.end(), token) !=
                       request.stop_tokens.end();
    const bool full = first_known + pick + 1 - sequence.PromptTokens() >= request.max_tokens;
    if (pick + 1 == slot.picks() && (stops || full)) {
      sequence.finish = stops ? FinishReason::kStop : FinishReason::kLength;
    }
    if (request.on_event) {
      request.on_event({.request = sequence.request_id,
                        .choice = sequence.choice,
                        .token = token,
                        .logprob = request.logprobs >= 0 ? slot.Logprob(pick) : 0.0F,
                        .top = slot.Top(pick, request.logprobs),
                        .finish = sequence.finish,
                        .error = ""});
    }
  }
  const bool nothing_wanted =
      request.max_tokens == 0 && sequence.computed >= sequence.PromptTokens();
  if (nothing_wanted && sequence.finish == FinishReason::kNone) {
    Finish(sequence, FinishReason::kLength);
  }
}

void Engine::Finish(Sequence& sequence, FinishReason reason, const char* error) {
  sequence.finish = reason;
  const Request& request = *sequence.request;
  if (!request.on_event) return;
  // Choices that were not made yet end with the one that stands for them.
  const int32_t last = sequence.forked ? sequence.choice : request.n - 1;
  for (int32_t choice = sequence.choice; choice <= last; ++choice) {
    request.on_event({.request = sequence.request_id,
                      .choice = choice,
                      .token = -1,
                      .logprob = 0,
                      .top = {},
                      .finish = reason,
                      .error = error});
  }
}

void Engine::FailAll(const char* error) {
  for (Owned& sequence : waiting_) Finish(*sequence, FinishReason::kError, error);
  for (Owned& sequence : running_) Finish(*sequence, FinishReason::kError, error);
  DropFinished();
}

void Engine::DropFinished() {
  const auto drop = [&](const Owned& sequence) {
    if (sequence->finish == FinishReason::kNone) return false;
    for (const int32_t block : sequence->blocks) pool_.Release(block);
    return true;
  };
  std::erase_if(running_, drop);
  std::erase_if(waiting_, drop);
}

bool Engine::Audit() const {
  std::vector<int32_t> counted(static_cast<size_t>(pool_.Total()), 0);
  const auto count = [&](const auto& sequences) {
    for (const Owned& sequence : sequences) {
      for (const int32_t block : sequence->blocks) ++counted[static_cast<size_t>(block)];
    }
  };
  count(waiting_);
  count(running_);
  int32_t free = 0;
  for (int32_t block = 0; block < pool_.Total(); ++block) {
    if (counted[static_cast<size_t>(block)] != pool_.References(block)) return false;
    free += counted[static_cast<size_t>(block)] == 0 ? 1 : 0;
  }
  return free == pool_.Free();
}

}  // namespace tenon::core
