// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/engine/request.h"
#include "core/program/program.h"
#include "tenon/result.h"

namespace tenon::core {

// What a request may ask of an engine.
struct RequestLimits {
  int32_t vocabulary = 0;
  int32_t adapters = 0;
  int32_t max_sequences = 0;
  int32_t max_context = 0;  // tokens
  int64_t pool_tokens = 0;  // KV slots of all sequences; 0: no KV
};

// kInvalid for what can never run: an empty prompt, ids outside the vocabulary, prompt + max_tokens
// beyond the context, a prompt larger than the pool, logit bias on unknown tokens, an adapter that
// is not there.
Result<void> CheckRequest(const Request& request, const RequestLimits& limits);

}  // namespace tenon::core
