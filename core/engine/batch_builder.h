// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "core/engine/sequence.h"
#include "tenon/op.h"

namespace tenon::core {

// One sequence's part of the step being built.
struct StepShare {
  Sequence* sequence;
  int32_t tokens;  // run in this step: known ones, then `drafts` of its drafts
  int32_t drafts;
  int32_t first_row;  // of its logits
  int32_t rows;       // of its logits; 0 while its prompt is not through
  bool picks;         // its last known token is in the step: a token can be picked
};

// Collects the shares of a step and packs them into a Batch. Memory is reserved once. Thread: one.
class BatchBuilder {
 public:
  BatchBuilder(int32_t max_tokens, int32_t max_sequences, int32_t max_rows, int32_t max_blocks);

  void Clear();
  // Adds the next `tokens` of the sequence, which holds blocks for them. REQUIRES: they fit.
  void Add(Sequence& sequence, int32_t tokens);

  int32_t TokensLeft() const { return max_tokens_ - static_cast<int32_t>(token_ids_.size()); }
  int32_t RowsLeft() const { return max_rows_ - static_cast<int32_t>(logit_rows_.size()); }
  std::vector<StepShare>& Shares() { return shares_; }

  // Views of this builder, valid until Clear. REQUIRES: something was added.
  Batch Build() const;

 private:
  int32_t max_tokens_;
  int32_t max_rows_;
  std::vector<StepShare> shares_;
  std::vector<int32_t> token_ids_, positions_, token_sequence_, block_tables_, logit_rows_;
  std::vector<SequenceSpan> spans_;
};

// Logit rows that a grant of `tokens` needs.
int32_t RowsNeeded(const Sequence& sequence, int32_t tokens);

}  // namespace tenon::core
