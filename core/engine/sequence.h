// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "core/engine/prefix_key.h"
#include "core/engine/request.h"

namespace tenon::core {

// A request's tokens and KV blocks, and its decoding state. Owned by the engine. Thread: the
// engine's.
struct Sequence {
  uint64_t id = 0;
  uint64_t request_id = 0;
  int32_t choice = 0;
  std::shared_ptr<const Request> request;
  SamplingParams sampling;      // with this choice's seed; views request->bias
  std::vector<int32_t> tokens;  // prompt, then output; capacity for all that may come
  std::vector<int32_t> drafts;  // proposals for the places after `tokens`
  std::vector<int32_t> blocks;  // pages, in order of slots
  std::vector<PrefixKey> keys;  // before its first block, then behind each full one
  std::vector<float> prompt_logprobs;
  int32_t computed = 0;        // tokens whose K and V are stored
  int32_t kept_blocks = 0;     // of `blocks`, those that the prefix cache was told of
  int32_t matched_blocks = 0;  // what the prefix cache held when it was last asked
  int32_t cached_tokens = 0;   // of the prompt, not computed for this request
  int32_t preemptions = 0;
  int64_t arrival_us = 0;
  int64_t since_us = 0;    // when it began to wait, or to run
  int64_t queued_us = -1;  // from its arrival to its first step; -1: still to come
  FinishReason finish = FinishReason::kNone;
  std::vector<int32_t> ended;  // choices that ended before they were made
  bool forked = false;         // its other choices exist
  bool heard = false;          // its first event was told

  int32_t Known() const { return static_cast<int32_t>(tokens.size()); }
  int32_t PromptTokens() const { return static_cast<int32_t>(request->prompt.size()); }
  int32_t OutputTokens() const { return Known() - PromptTokens(); }
  int32_t OutputLeft() const { return request->max_tokens - OutputTokens(); }
};

}  // namespace tenon::core
