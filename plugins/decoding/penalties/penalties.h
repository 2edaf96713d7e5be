// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tenon/component.h"
#include "tenon/decoding.h"

namespace tenon::decoding {

// Changes the logits x of tokens that were seen, then those that the request names:
//   repetition  prompt and output, once a token: x > 0 ? x / r : x * r   (Keskar et al. 2019, CTRL)
//   presence    output, once a token:            x - p                   (OpenAI)
//   frequency   output, n times seen:            x - f * n               (OpenAI)
//   bias        SamplingParams::logit_bias:      x + bias
// in that order. What the request sets goes before the options. Numbers that are not finite, and a
// repetition penalty that is not above 0, change nothing; tokens outside the vocabulary are
// skipped. Allocates nothing.
class Penalties final : public Component, public LogitProcessor {
 public:
  explicit Penalties(const CreateArgs& args);

  void* Query(const char* name) noexcept override { return Offer<LogitProcessor>(this, name); }
  void Apply(const DecodePoint& point, Span<float> logits) noexcept override;

 private:
  const float repetition_, presence_, frequency_;  // where the request says nothing
};

}  // namespace tenon::decoding
