// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "plugins/decoding/sampler/selection.h"
#include "tenon/component.h"
#include "tenon/decoding.h"

namespace tenon::decoding {

// Draws after temperature, top-k, top-p and min-p, in that order. What the request sets goes before
// the options. The n-th output token depends on the seed and n alone, besides the logits.
class FilterSampler final : public Component, public Sampler {
 public:
  explicit FilterSampler(const CreateArgs& args);

  void* Query(const char* name) noexcept override { return Offer<Sampler>(this, name); }
  uint64_t ScratchBytes(int32_t vocabulary) const noexcept override;
  int32_t Sample(const DecodePoint& point, Span<float> logits, void* scratch) noexcept override;
  void Distribution(const DecodePoint& point, Span<float> logits, void* scratch) noexcept override;

 private:
  Filter FilterOf(const SamplingParams& params) const;

  const Filter options_;  // where the request says nothing
};

}  // namespace tenon::decoding
