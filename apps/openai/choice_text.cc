// SPDX-License-Identifier: Apache-2.0
#include "apps/openai/choice_text.h"

#include <cstdint>
#include <utility>

namespace tenon::apps::openai {

ChoiceText::ChoiceText(const text::Tokenizer& tokenizer, const text::StopStrings* stops,
                       int32_t min_tokens, std::optional<LogprobText> logprobs)
    : decoder_(tokenizer, {.skip_special = true, .starts_text = false}),
      logprobs_(std::move(logprobs)),
      min_tokens_(min_tokens) {
  if (stops != nullptr) stops_ = *stops;
}

void ChoiceText::Say(std::string text, bool may_stop) {
  decoded_ += text.size();
  if (stops_ && may_stop) text = stops_->Push(text);
  shown_ += text.size();
  if (ready_.empty()) {
    ready_ = std::move(text);
  } else {
    ready_ += text;
  }
  if (stopped() && logprobs_) logprobs_->CutAt(shown_);
}

void ChoiceText::Push(const GeneratedToken& token) {
  if (stopped()) return;
  ++tokens_;
  logprob_sum_ += token.logprob;
  if (logprobs_) logprobs_->Add(token, decoded_);
  Say(decoder_.Push(token.id), tokens_ > min_tokens_);
}

void ChoiceText::PushText(size_t tokens, const std::string& text) {
  if (stopped()) return;
  tokens_ += static_cast<int64_t>(tokens);
  Say(text, tokens_ > min_tokens_);
}

void ChoiceText::Finish() {
  if (std::exchange(finished_, true) || stopped()) return;
  Say(decoder_.Flush(), true);
  if (!stops_ || stopped()) return;
  std::string rest = stops_->Flush();
  shown_ += rest.size();
  ready_ += rest;
}

std::string ChoiceText::TakeText() { return std::exchange(ready_, {}); }

std::string ChoiceText::TakeLogprobs() {
  if (!logprobs_) return {};
  // At the end also tokens that gave no text of their own.
  return logprobs_->Take(finished_ && !stopped() ? SIZE_MAX : shown_);
}

}  // namespace tenon::apps::openai
