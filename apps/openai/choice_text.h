// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "apps/openai/logprob_text.h"
#include "text/stop_strings.h"
#include "text/stream_decoder.h"

namespace tenon::apps::openai {

// One choice's tokens become its text: whole characters, ended by stop strings, of which no part
// is shown. One thread.
class ChoiceText {
 public:
  // `tokenizer` outlives it. Stop strings count only behind the first `min_tokens` tokens.
  ChoiceText(const text::Tokenizer& tokenizer, const text::StopStrings* stops, int32_t min_tokens,
             std::optional<LogprobText> logprobs);

  // A token; its text follows what the earlier ones said. Ignored once stopped().
  void Push(const GeneratedToken& token);

  // So many tokens that rules of the pipeline turned into `text`. Their log-probabilities are not
  // told.
  void PushText(size_t tokens, const std::string& text);

  // A token that ends the text and is no part of it.
  void PushEnd() { ++tokens_; }

  // No more tokens come; what was held back is said.
  void Finish();

  // What may be shown and was not taken yet, and the log-probabilities of its tokens (JSON, or
  // empty).
  std::string TakeText();
  std::string TakeLogprobs();

  bool stopped() const { return stops_ && stops_->stopped(); }
  int64_t tokens() const { return tokens_; }  // ends included
  double logprob_sum() const { return logprob_sum_; }

 private:
  void Say(std::string text, bool may_stop);

  text::StreamDecoder decoder_;
  std::optional<text::StopStrings> stops_;
  std::optional<LogprobText> logprobs_;
  int32_t min_tokens_;
  int64_t tokens_ = 0;
  double logprob_sum_ = 0;
  size_t decoded_ = 0;  // bytes of text that tokens gave
  size_t shown_ = 0;    // of these, those that may be seen
  bool finished_ = false;
  std::string ready_;  // seen by nobody yet
};

}  // namespace tenon::apps::openai
