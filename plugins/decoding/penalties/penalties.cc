// SPDX-License-Identifier: Apache-2.0
#include "plugins/decoding/penalties/penalties.h"

#include <algorithm>
#include <cmath>

namespace tenon::decoding {
namespace {

// Seen tokens are marked on the stack, so the vocabulary is walked in windows; the usual one is a
// single window.
constexpr int64_t kBitWindow = 1 << 18;
constexpr int64_t kCountWindow = 1 << 15;

bool Inside(int32_t token, int64_t base, int64_t size) {
  return token >= base && token < base + size;
}

void Repetition(Span<const int32_t> tokens, float penalty, Span<float> logits) {
  uint64_t seen[kBitWindow / 64];
  const int64_t vocabulary = static_cast<int64_t>(logits.size);
  for (int64_t base = 0; base < vocabulary; base += kBitWindow) {
    const int64_t size = std::min(kBitWindow, vocabulary - base);
    std::fill_n(seen, (size + 63) / 64, 0);
    for (int32_t token : tokens) {
      if (!Inside(token, base, size)) continue;
      uint64_t& word = seen[(token - base) / 64];
      const uint64_t bit = uint64_t{1} << ((token - base) % 64);
      if ((word & bit) != 0) continue;
      word |= bit;
      float& x = logits[token];
      x = x > 0 ? x / penalty : x * penalty;
    }
  }
}

void PresenceAndFrequency(Span<const int32_t> output, float presence, float frequency,
                          Span<float> logits) {
  int32_t counts[kCountWindow];
  const int64_t vocabulary = static_cast<int64_t>(logits.size);
  for (int64_t base = 0; base < vocabulary; base += kCountWindow) {
    const int64_t size = std::min(kCountWindow, vocabulary - base);
    // Three walks over the output cost less than clearing the window.
    for (int32_t token : output) {
      if (Inside(token, base, size)) counts[token - base] = 0;
    }
    for (int32_t token : output) {
      if (Inside(token, base, size)) ++counts[token - base];
    }
    for (int32_t token : output) {
      if (!Inside(token, base, size) || counts[token - base] == 0) continue;
      logits[token] -= presence + frequency * static_cast<float>(counts[token - base]);
      counts[token - base] = 0;
    }
  }
}

float Choose(float asked, float option) { return std::isnan(asked) ? option : asked; }

}  // namespace

Penalties::Penalties(const CreateArgs& args)
    : repetition_(static_cast<float>(args.options.Float("repetition_penalty"))),
      presence_(static_cast<float>(args.options.Float("presence_penalty"))),
      frequency_(static_cast<float>(args.options.Float("frequency_penalty"))) {}

void Penalties::Apply(const DecodePoint& point, Span<float> logits) noexcept {
  const SamplingParams& params = *point.params;
  const float repetition = Choose(params.repetition_penalty, repetition_);
  if (repetition > 0 && repetition != 1 && std::isfinite(repetition)) {
    Repetition(point.tokens, repetition, logits);
  }
  float presence = Choose(params.presence_penalty, presence_);
  float frequency = Choose(params.frequency_penalty, frequency_);
  if (!std::isfinite(presence)) presence = 0;
  if (!std::isfinite(frequency)) frequency = 0;
  const uint64_t prompt = std::min<uint64_t>(std::max(point.prompt_tokens, 0), point.tokens.size);
  if (presence != 0 || frequency != 0) {
    PresenceAndFrequency({point.tokens.data + prompt, point.tokens.size - prompt}, presence,
                         frequency, logits);
  }
  for (const TokenBias& bias : params.logit_bias) {
    if (bias.token < 0 || static_cast<uint64_t>(bias.token) >= logits.size) continue;
    if (!std::isnan(bias.bias)) logits[bias.token] += bias.bias;
  }
}

}  // namespace tenon::decoding
