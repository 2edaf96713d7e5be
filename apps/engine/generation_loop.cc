// SPDX-License-Identifier: Apache-2.0
#include "apps/engine/generation_loop.h"

#include <algorithm>

#include "fmt/format.h"
#include "fmt/ranges.h"

namespace tenon::apps {
namespace {

// One step of so many is timed op by op: next to nothing, and enough to tell who takes the time.
constexpr int32_t kTimedSteps = 16;

GenerateEvent Refusal(Status status, std::string why) {
  GenerateEvent event;
  event.finish = core::FinishReason::kError;
  event.status = status;
  event.error = std::move(why);
  return event;
}

}  // namespace

GenerationLoop::GenerationLoop(std::shared_ptr<core::Engine> engine, EngineFacts facts,
                               std::function<void()> after_step)
    : EngineLoop(std::move(facts), std::move(after_step)), engine_(std::move(engine)) {
  engine_->SampleTiming(kTimedSteps);
  Publish();
}

EngineState GenerationLoop::State() const {
  const std::lock_guard lock(mutex_);
  EngineState state = state_;
  if (!open_.empty()) {
    state.step_age_s = std::chrono::duration<double>(Clock::now() - last_step_).count();
  }
  return state;
}

Result<core::Request> GenerationLoop::RequestOf(GenerateRequest request) const {
  core::Request out;
  if (!request.adapter.empty()) {
    const auto& names = facts_.adapters;
    const auto found = std::find(names.begin(), names.end(), request.adapter);
    if (found == names.end()) {
      return Error{Status::kInvalid,
                   fmt::format("adapter \"{}\" is not in the pipeline{}", request.adapter,
                               names.empty() ? ", which has none"
                                             : fmt::format("; it has {}", fmt::join(names, ", ")))};
    }
    out.adapter = static_cast<int32_t>(found - names.begin());
  }
  out.prompt = std::move(request.prompt);
  out.sampling = request.sampling;
  out.bias = std::move(request.bias);
  out.stop_tokens = std::move(request.stop_tokens);
  out.max_tokens = request.max_tokens;
  out.min_tokens = request.min_tokens;
  out.logprobs = request.logprobs;
  out.n = request.n;
  out.priority = request.priority;
  out.cache_salt = request.cache_salt;
  return out;
}

uint64_t GenerationLoop::Generate(GenerateRequest request, OnGenerateEvent on_event) {
  auto open = std::make_shared<Open>();
  open->choices = std::max(request.n, 1);
  open->on_event = std::move(on_event);
  auto made = RequestOf(std::move(request));
  if (made.ok())
    made->on_event = [this, open](const core::TokenEvent& event) { Hear(open, event); };
  const std::lock_guard lock(mutex_);
  open->id = next_++;
  // The engine's thread may hear of it at once, but looks for it in open_ under the mutex.
  auto submitted = made.ok() ? engine_->Submit(std::move(*made)) : made.error();
  if (open_.empty()) last_step_ = Clock::now();
  if (submitted.ok()) {
    open->engine_id = *submitted;
    open_.emplace(open->id, open);
  } else {
    open->news.push_back(Refusal(submitted.error().status, submitted.error().message));
    failed_.push_back(open);
  }
  work_ = true;
  changed_.notify_all();
  return open->id;
}

void GenerationLoop::Cancel(uint64_t request, int32_t choice) {
  const std::lock_guard lock(mutex_);
  const auto found = open_.find(request);
  if (found == open_.end()) return;
  engine_->Cancel(found->second->engine_id, choice);
  work_ = true;
  changed_.notify_all();
}

void GenerationLoop::Embed(std::vector<std::vector<int32_t>>, OnEmbeddings done) {
  done(Error{Status::kUnsupported, facts_.model + " generates text and gives no embeddings"});
}

void GenerationLoop::Run() {
  for (;;) {
    const int64_t wait_us = engine_->Step();
    Settle();
    Publish();
    Deliver();
    if (after_step_) after_step_();
    std::unique_lock lock(mutex_);
    const auto awake = [&] { return work_ || stop_; };
    if (wait_us < 0) {
      if (stop_ && open_.empty() && failed_.empty()) return;
      if (!stop_) changed_.wait(lock, awake);
    } else if (wait_us > 0 && !stop_) {
      changed_.wait_for(lock, std::chrono::microseconds(wait_us), awake);
    }
    work_ = false;
    if (!stop_) continue;
    for (const auto& [id, open] : open_) engine_->Cancel(open->engine_id);
  }
}

void GenerationLoop::Hear(const Shared& open, const core::TokenEvent& event) {
  const auto choice = static_cast<size_t>(event.choice);
  if (open->began.size() <= choice) {
    open->began.resize(choice + 1);
    open->ended.resize(choice + 1);
  }
  if (open->ended[choice]) return;
  if (open->news.empty()) heard_.push_back(open);
  auto news = std::find_if(open->news.begin(), open->news.end(),
                           [&](const GenerateEvent& one) { return one.choice == event.choice; });
  if (news == open->news.end()) {
    news = open->news.insert(news, GenerateEvent{.choice = event.choice});
    if (!open->began[choice]) {
      news->cached_tokens = event.cached_tokens;
      news->queued_us = event.queued_us;
    }
    open->began[choice] = true;
  }
  if (event.token >= 0) {
    news->tokens.push_back({event.token, event.logprob, {event.top.begin(), event.top.end()}});
  }
  news->finish = event.finish;
  open->ended[choice] = event.finish != core::FinishReason::kNone;
  if (event.finish == core::FinishReason::kError) {
    news->status = Status::kInternal;
    news->error = event.error;
  }
}

bool GenerationLoop::AllEnded(const Open& open) {
  return std::count(open.ended.begin(), open.ended.end(), true) == open.choices;
}

// Before the events are told, so that who hears an end finds the state after it.
void GenerationLoop::Settle() {
  const std::lock_guard lock(mutex_);
  for (const Shared& open : heard_) {
    if (AllEnded(*open)) open_.erase(open->id);
  }
  for (Shared& open : failed_) heard_.push_back(std::move(open));
  failed_.clear();
}

void GenerationLoop::Deliver() {
  for (const Shared& open : heard_) {
    for (GenerateEvent& event : open->news) open->on_event(std::move(event));
    open->news.clear();
  }
  heard_.clear();
}

void GenerationLoop::Publish() {
  const core::EngineStats& stats = engine_->Stats();
  const std::lock_guard lock(mutex_);
  state_.ready = true;
  if (stats.steps != state_.steps) last_step_ = Clock::now();
  state_.running = engine_->Running();
  state_.waiting = engine_->Waiting();
  state_.free_blocks = engine_->FreeBlocks();
  state_.steps = stats.steps;
  state_.prompt_tokens = stats.prompt_tokens;
  state_.output_tokens = stats.output_tokens;
  state_.preemptions = stats.preemptions;
  state_.prefix_queries = stats.prefix_queries;
  state_.prefix_hits = stats.prefix_hits;
  state_.draft_tokens = stats.draft_tokens;
  state_.accepted_tokens = stats.accepted_tokens;
  if (stats.steps % kTimedSteps != 0) return;
  state_.plugins.clear();
  for (const core::ComponentTime& time : engine_->TimeByComponent()) {
    state_.plugins.push_back({Name(time.family), time.component, time.seconds});
  }
}

}  // namespace tenon::apps
