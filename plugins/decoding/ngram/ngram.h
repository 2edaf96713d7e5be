// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tenon/component.h"
#include "tenon/decoding.h"

namespace tenon::decoding {

// Proposes what followed the last time that the newest tokens stood together (prompt lookup
// decoding, Saxena 2023). The longest run of max_ngram … min_ngram newest tokens that was there
// before counts; of equally long ones the latest. A continuation that reaches the end of the text
// goes on with itself, so a loop is proposed whole.
class NgramDrafter final : public Component, public Drafter {
 public:
  explicit NgramDrafter(const CreateArgs& args);

  void* Query(const char* name) noexcept override { return Offer<Drafter>(this, name); }
  int32_t MaxTokens() const noexcept override { return draft_tokens_; }
  int32_t Propose(const DecodePoint& point, Span<int32_t> drafts) noexcept override;

 private:
  const int32_t max_ngram_, min_ngram_, draft_tokens_;
};

}  // namespace tenon::decoding
