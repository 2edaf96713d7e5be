// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "tenon/decoding.h"

namespace tenon::core {

enum class FinishReason : uint8_t { kNone, kStop, kLength, kCancelled, kError };

constexpr const char* Name(FinishReason reason) {
  switch (reason) {
    case FinishReason::kStop:
      return "stop";
    case FinishReason::kLength:
      return "length";
    case FinishReason::kCancelled:
      return "cancelled";
    case FinishReason::kError:
      return "error";
    default:
      return "";
  }
}

struct TokenLogprob {
  int32_t id;
  float logprob;  // natural logarithm of the full softmax of the model's own logits
};

// What a request hears of, in order, from the engine's thread. `top` is valid during the call.
struct TokenEvent {
  uint64_t request = 0;
  int32_t choice = 0;  // 0 … Request::n - 1
  int32_t token = -1;  // -1: none, only `finish` is new
  float logprob = 0;   // of the token, where logprobs were asked for
  Span<const TokenLogprob> top;
  FinishReason finish = FinishReason::kNone;  // of this choice
  const char* error = "";                     // with kError: what the user reads
  int32_t cached_tokens =
      0;                  // of the prompt, taken from the prefix cache; in a choice's first event
  int64_t queued_us = 0;  // from its arrival to its first step; in a choice's first event
};

struct Request {
  std::vector<int32_t> prompt;  // at least one token
  SamplingParams sampling;      // its logit_bias is ignored in favour of `bias`
  std::vector<TokenBias> bias;
  std::vector<int32_t> stop_tokens;  // end the sequence, and are reported as its last token
  int32_t max_tokens = 128;
  int32_t min_tokens = 0;  // stop tokens are forbidden before
  int32_t logprobs = -1;   // top choices to report with each token; -1: no log-probabilities
  int32_t n = 1;           // choices; choice i samples with seed + i
  int32_t priority = 0;
  int32_t adapter = -1;     // SequenceSpan::adapter of all its choices; -1: none
  uint64_t cache_salt = 0;  // KV blocks are shared only among requests of one salt and adapter
  std::function<void(const TokenEvent&)> on_event;

  // Scoring: log-probability of each prompt token but the first, given those before it.
  std::function<void(Span<const float>)> on_prompt_logprobs;  // prompt.size() - 1 values, once
  // Comparing, with the above: the model's own logits [vocabulary] that each value came from, and
  // the index of the prompt token that they predict, ascending from 1. Called on a host thread of
  // the device; requests that share a step are served side by side.
  std::function<void(int32_t predicted, Span<const float> logits)> on_prompt_logits;
};

}  // namespace tenon::core
