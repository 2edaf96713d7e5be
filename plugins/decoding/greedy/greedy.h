// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tenon/component.h"
#include "tenon/decoding.h"

namespace tenon::decoding {

// Always the most likely token; the request's temperature and filters do not matter.
class GreedySampler final : public Component, public Sampler {
 public:
  explicit GreedySampler(const CreateArgs&) {}

  void* Query(const char* name) noexcept override { return Offer<Sampler>(this, name); }

  uint64_t ScratchBytes(int32_t) const noexcept override { return 0; }

  int32_t Sample(const DecodePoint& point, Span<float> logits, void* scratch) noexcept override;
  void Distribution(const DecodePoint& point, Span<float> logits, void* scratch) noexcept override;
};

}  // namespace tenon::decoding
