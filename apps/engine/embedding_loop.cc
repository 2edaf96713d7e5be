// SPDX-License-Identifier: Apache-2.0
#include "apps/engine/embedding_loop.h"

#include <utility>

#include "fmt/format.h"

namespace tenon::apps {
namespace {

// Enough to fill steps, few enough that progress shows.
constexpr int64_t kStepsAtOnce = 4;

}  // namespace

EmbeddingLoop::EmbeddingLoop(std::shared_ptr<core::Embedder> embedder, EngineFacts facts,
                             std::function<void()> after_step)
    : EngineLoop(std::move(facts), std::move(after_step)), embedder_(std::move(embedder)) {
  state_.ready = true;
}

EngineState EmbeddingLoop::State() const {
  const std::lock_guard lock(mutex_);
  EngineState state = state_;
  state.waiting = open_texts_;
  if (open_texts_ > 0) {
    state.step_age_s = std::chrono::duration<double>(Clock::now() - last_step_).count();
  }
  return state;
}

uint64_t EmbeddingLoop::Generate(GenerateRequest, OnGenerateEvent on_event) {
  GenerateEvent event;
  event.finish = core::FinishReason::kError;
  event.status = Status::kUnsupported;
  event.error = facts_.model + " gives embeddings and generates no text";
  on_event(std::move(event));
  return 0;
}

Result<void> EmbeddingLoop::Check(const std::vector<std::vector<int32_t>>& texts) const {
  for (const std::vector<int32_t>& text : texts) {
    if (text.empty() || text.size() > static_cast<size_t>(facts_.embedding_max_tokens)) {
      return Error{Status::kInvalid, fmt::format("a text has {} tokens; 1 to {} allowed",
                                                 text.size(), facts_.embedding_max_tokens)};
    }
    for (const int32_t id : text) {
      if (id < 0 || id >= facts_.vocabulary) {
        return Error{Status::kInvalid, fmt::format("token id {} is outside the vocabulary of {}",
                                                   id, facts_.vocabulary)};
      }
    }
  }
  return {};
}

void EmbeddingLoop::Embed(std::vector<std::vector<int32_t>> texts, OnEmbeddings done) {
  if (auto checked = Check(texts); !checked.ok()) return done(checked.error());
  if (texts.empty()) return done(std::vector<std::vector<float>>{});
  const std::lock_guard lock(mutex_);
  if (open_texts_ == 0) last_step_ = Clock::now();
  open_texts_ += static_cast<int32_t>(texts.size());
  arrived_.push_back({std::move(texts), {}, std::move(done)});
  changed_.notify_all();
}

void EmbeddingLoop::Run() {
  std::deque<Call> calls;
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      if (calls.empty()) changed_.wait(lock, [&] { return stop_ || !arrived_.empty(); });
      for (Call& call : arrived_) calls.push_back(std::move(call));
      arrived_.clear();
      if (stop_) break;
    }
    EmbedSome(calls);
    if (after_step_) after_step_();
  }
  for (Call& call : calls) call.done(Error{Status::kCancelled, "the engine ends"});
}

// Embeds some texts of the oldest calls and answers the calls that are complete.
void EmbeddingLoop::EmbedSome(std::deque<Call>& calls) {
  const int64_t most = kStepsAtOnce * embedder_->MaxTokens();
  std::vector<std::vector<int32_t>> texts;
  std::vector<size_t> owners;  // indices of calls
  int64_t tokens = 0;
  for (size_t c = 0; c < calls.size() && tokens < most; ++c) {
    for (size_t i = calls[c].vectors.size(); i < calls[c].texts.size() && tokens < most; ++i) {
      tokens += static_cast<int64_t>(calls[c].texts[i].size());
      texts.push_back(std::move(calls[c].texts[i]));
      owners.push_back(c);
    }
  }
  const auto columns = static_cast<size_t>(embedder_->Columns());
  std::vector<float> out(texts.size() * columns);
  const Result<void> embedded = embedder_->Embed(texts, out);
  for (size_t i = 0; i < texts.size(); ++i) {
    const auto row = out.begin() + static_cast<std::ptrdiff_t>(i * columns);
    calls[owners[i]].vectors.emplace_back(row, row + static_cast<std::ptrdiff_t>(columns));
  }
  // A failure is the device's and ends all calls whose texts took part.
  size_t done = texts.size();
  std::vector<Call> answered;
  for (size_t touched = owners.back() + 1; touched > 0; --touched) {
    const size_t left = calls.front().texts.size() - calls.front().vectors.size();
    if (embedded.ok() && left > 0) break;
    done += left;
    answered.push_back(std::move(calls.front()));
    calls.pop_front();
  }
  Publish(done, tokens);
  for (Call& call : answered) {
    if (embedded.ok()) {
      call.done(std::move(call.vectors));
    } else {
      call.done(embedded.error());
    }
  }
}

void EmbeddingLoop::Publish(size_t texts, int64_t tokens) {
  const std::lock_guard lock(mutex_);
  open_texts_ -= static_cast<int32_t>(texts);
  state_.steps = embedder_->Steps();
  state_.prompt_tokens += tokens;
  last_step_ = Clock::now();
}

}  // namespace tenon::apps
