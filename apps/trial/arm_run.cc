// SPDX-License-Identifier: Apache-2.0
#include "apps/trial/arm_run.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace tenon::apps::trial {

using core::FinishReason;

ArmRun::ArmRun(std::shared_ptr<EngineClient> engine, const Clock& clock, int32_t choices)
    : engine_(std::move(engine)),
      clock_(clock),
      left_(std::max(choices, 1)),
      tokens_(static_cast<size_t>(left_)) {}

void ArmRun::Start(GenerateRequest request, OnGenerateEvent on_event) {
  started_ = clock_();
  const uint64_t number = engine_->Generate(std::move(request), std::move(on_event));
  std::vector<int32_t> cancelled;
  {
    const std::lock_guard lock(mutex_);
    number_ = number;
    cancelled = cancelled_;
  }
  for (const int32_t choice : cancelled) engine_->Cancel(number, choice);
}

void ArmRun::Cancel(int32_t choice) {
  std::optional<uint64_t> number;
  {
    const std::lock_guard lock(mutex_);
    cancelled_.push_back(choice);
    number = number_;
  }
  if (number) engine_->Cancel(*number, choice);
}

bool ArmRun::Note(const GenerateEvent& event) {
  NoteTokens(event);
  NoteEnd(event);
  return EndsRequest(event, &began_, &left_);
}

void ArmRun::NoteTokens(const GenerateEvent& event) {
  const auto choice = static_cast<size_t>(event.choice);
  if (event.tokens.empty() || choice >= tokens_.size()) return;
  last_ = clock_();
  if (first_ < 0) first_ = last_;
  tokens_[choice] += static_cast<int64_t>(event.tokens.size());
}

void ArmRun::NoteEnd(const GenerateEvent& event) {
  RunEnd end = RunEnd::kDone;
  if (event.finish == FinishReason::kError) {
    const bool own = event.status == Status::kInvalid || event.status == Status::kUnsupported;
    end = own                                  ? RunEnd::kRefused
          : event.status == Status::kCancelled ? RunEnd::kCancelled
                                               : RunEnd::kFailed;
    record_.error = event.error;
  } else if (event.finish == FinishReason::kCancelled) {
    const std::lock_guard lock(mutex_);
    const auto asked = [&](int32_t choice) {
      return std::find(cancelled_.begin(), cancelled_.end(), choice) != cancelled_.end();
    };
    // Of a choice that alone was ended somebody had all he wanted.
    end = asked(-1) ? RunEnd::kCancelled : asked(event.choice) ? RunEnd::kDone : RunEnd::kFailed;
    if (end == RunEnd::kFailed) record_.error = "the engine ended the request";
  }
  // What is worst of all choices.
  record_.end = std::max(record_.end, end);
}

RunRecord ArmRun::Record() const {
  RunRecord record = record_;
  record.output_tokens = std::accumulate(tokens_.begin(), tokens_.end(), int64_t{0});
  if (first_ < 0) return record;
  record.first_token_s = first_ - started_;
  const int64_t longest = *std::max_element(tokens_.begin(), tokens_.end());
  if (longest > 1) record.per_token_s = (last_ - first_) / static_cast<double>(longest - 1);
  return record;
}

}  // namespace tenon::apps::trial
