// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>
#include <cstdint>

#include "tenon/status.h"
#include "tenon/types.h"

// From logits to tokens. A pipeline's `decoding:` is a chain: processors change the logits in
// order, then one sampler picks. Drafters propose tokens that the engine verifies exactly.
namespace tenon {

struct TokenBias {
  int32_t token;
  float bias;  // added to the logit
};

// What a request asks for. NaN or kUnset: not said, the component's own option decides.
struct SamplingParams {
  static constexpr int32_t kUnset = INT32_MIN;

  float temperature = NAN;  // 0: the most likely token
  int32_t top_k = kUnset;   // 0: all
  float top_p = NAN;
  float min_p = NAN;
  float repetition_penalty = NAN;  // Keskar et al. 2019 (CTRL); over prompt and output
  float presence_penalty = NAN;    // OpenAI's; over the output only
  float frequency_penalty = NAN;
  uint64_t seed = 0;
  Span<const TokenBias> logit_bias;
};

// One place in a sequence where a token is to be chosen.
struct DecodePoint {
  Span<const int32_t> tokens;  // everything before: the prompt, then the output so far
  int32_t prompt_tokens;
  const SamplingParams* params;
};

// Changes the logits of one place, in place. Depends on the point alone. Thread: any, several at
// once.
class LogitProcessor {
 public:
  static constexpr const char* kName = "tenon.decoding.processor/1";

  virtual void Apply(const DecodePoint& point, Span<float> logits) noexcept = 0;

 protected:
  ~LogitProcessor() = default;
};

// Picks a token. Depends on the point and the logits alone: randomness is a function of the seed
// and of the number of output tokens so far, so that a seed gives the same text whatever runs
// beside it, and drafts are verified exactly. Thread: any, several at once, each with its own
// scratch.
class Sampler {
 public:
  static constexpr const char* kName = "tenon.decoding.sampler/1";

  virtual uint64_t ScratchBytes(int32_t vocabulary) const noexcept = 0;

  // `logits` may be changed. `scratch`: ScratchBytes(logits.size), aligned to 64.
  virtual int32_t Sample(const DecodePoint& point, Span<float> logits, void* scratch) noexcept = 0;

  // Turns the logits into the probabilities that Sample draws from.
  virtual void Distribution(const DecodePoint& point, Span<float> logits,
                            void* scratch) noexcept = 0;

 protected:
  ~Sampler() = default;
};

// Proposes what may come next; a wrong proposal costs time, never correctness. Thread: the
// engine's.
class Drafter {
 public:
  static constexpr const char* kName = "tenon.decoding.drafter/1";

  virtual int32_t MaxTokens() const noexcept = 0;  // at most this many a step

  // Writes up to drafts.size tokens; returns how many. Depends on the point alone.
  virtual int32_t Propose(const DecodePoint& point, Span<int32_t> drafts) noexcept = 0;

 protected:
  ~Drafter() = default;
};

}  // namespace tenon
