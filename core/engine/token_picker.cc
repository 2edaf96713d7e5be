// SPDX-License-Identifier: Apache-2.0
#include "core/engine/token_picker.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace tenon::core {

namespace {

constexpr uint64_t kAlignment = 64;

void* Aligned(char* memory) {
  const auto address = reinterpret_cast<uintptr_t>(memory);
  return memory + (kAlignment - address % kAlignment) % kAlignment;
}

}  // namespace

double LogSumExp(Span<const float> logits) {
  float largest = -std::numeric_limits<float>::infinity();
  for (const float logit : logits) largest = std::max(largest, logit);
  double sum = 0;
  for (const float logit : logits) sum += std::exp(logit - largest);
  return largest + std::log(sum);
}

void TopLogprobs(Span<const float> logits, double log_sum, Span<TokenLogprob> top) {
  uint64_t held = 0;
  for (uint64_t i = 0; i < logits.size; ++i) {
    if (held == top.size && (held == 0 || logits[i] <= top[held - 1].logprob)) continue;
    uint64_t at = held < top.size ? held++ : held - 1;
    for (; at > 0 && top[at - 1].logprob < logits[i]; --at) top[at] = top[at - 1];
    top[at] = {static_cast<int32_t>(i), logits[i]};
  }
  for (uint64_t i = 0; i < held; ++i) {
    top[i].logprob = static_cast<float>(top[i].logprob - log_sum);
  }
  for (uint64_t i = held; i < top.size; ++i) {
    top[i] = {-1, -std::numeric_limits<float>::infinity()};
  }
}

PickSlot::PickSlot(int32_t vocabulary, uint64_t sampler_scratch_bytes, int32_t max_picks)
    : vocabulary_(vocabulary),
      logits_(new float[static_cast<size_t>(vocabulary)]),
      raw_(new float[static_cast<size_t>(vocabulary)]),
      scratch_(new char[sampler_scratch_bytes + kAlignment]),
      logprobs_(static_cast<size_t>(max_picks)),
      tops_(static_cast<size_t>(max_picks * kMaxTop)) {}

int32_t PickSlot::Pick(const DecodingChain& chain, Sequence& sequence) {
  const Request& request = *sequence.request;
  const Span<float> logits = Logits();
  double log_sum = 0;
  if (request.logprobs >= 0) {
    log_sum = LogSumExp(logits);
    TopLogprobs(logits, log_sum,
                {tops_.data() + picks_ * kMaxTop,
                 static_cast<uint64_t>(std::min(request.logprobs, kMaxTop))});
    std::copy(logits.begin(), logits.end(), raw_.get());
  }
  if (sequence.OutputTokens() < request.min_tokens) {
    for (const int32_t stop : request.stop_tokens) {
      if (stop >= 0 && stop < vocabulary_) {
        logits[static_cast<uint64_t>(stop)] = -std::numeric_limits<float>::infinity();
      }
    }
  }
  const DecodePoint point{.tokens = {sequence.tokens.data(), sequence.tokens.size()},
                          .prompt_tokens = sequence.PromptTokens(),
                          .params = &sequence.sampling};
  for (LogitProcessor* processor : chain.processors) processor->Apply(point, logits);
  const int32_t token = chain.sampler->Sample(point, logits, Aligned(scratch_.get()));
  if (request.logprobs >= 0) {
    logprobs_[static_cast<size_t>(picks_)] =
        static_cast<float>(raw_[static_cast<size_t>(token)] - log_sum);
  }
  ++picks_;
  sequence.tokens.push_back(token);
  return token;
}

Span<const TokenLogprob> PickSlot::Top(int32_t pick, int32_t count) const {
  return {tops_.data() + pick * kMaxTop, static_cast<uint64_t>(std::clamp(count, 0, kMaxTop))};
}

}  // namespace tenon::core
