// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include "core/engine/sequence.h"
#include "tenon/decoding.h"

namespace tenon::core {

// The decoding chain of a pipeline. Components outlive the engine.
struct DecodingChain {
  std::vector<LogitProcessor*> processors;  // applied in order
  Sampler* sampler = nullptr;
  Drafter* drafter = nullptr;  // may be null
};

// log Σ exp(logits). The largest is taken out first, sums in double.
double LogSumExp(Span<const float> logits);

// The `top.size` largest logits as log-probabilities, in falling order (ties: lower id first).
void TopLogprobs(Span<const float> logits, double log_sum, Span<TokenLogprob> top);

// Where one job picks tokens: memory of its own, so that jobs run side by side.
class PickSlot {
 public:
  PickSlot(int32_t vocabulary, uint64_t sampler_scratch_bytes, int32_t max_picks);

  Span<float> Logits() { return {logits_.get(), static_cast<uint64_t>(vocabulary_)}; }

  // Picks the token after sequence.tokens from Logits() (which are spoilt), appends it to the
  // sequence and notes its log-probabilities. REQUIRES: picks() < max_picks.
  int32_t Pick(const DecodingChain& chain, Sequence& sequence);

  void Clear() { picks_ = 0; }
  int32_t picks() const { return picks_; }
  float Logprob(int32_t pick) const { return logprobs_[static_cast<size_t>(pick)]; }
  Span<const TokenLogprob> Top(int32_t pick, int32_t count) const;

  static constexpr int32_t kMaxTop = 32;

 private:
  int32_t vocabulary_;
  int32_t picks_ = 0;
  std::unique_ptr<float[]> logits_;
  std::unique_ptr<float[]> raw_;  // the model's own, while the chain changes logits_
  std::unique_ptr<char[]> scratch_;
  std::vector<float> logprobs_;     // [max_picks]
  std::vector<TokenLogprob> tops_;  // [max_picks, kMaxTop]
};

}  // namespace tenon::core
