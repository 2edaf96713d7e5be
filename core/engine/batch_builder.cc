// SPDX-License-Identifier: Apache-2.0
#include "core/engine/batch_builder.h"

#include <algorithm>

#include "tenon/result.h"

namespace tenon::core {
namespace {

bool Scores(const Sequence& sequence) { return sequence.request->on_prompt_logprobs != nullptr; }

}  // namespace

int32_t RowsNeeded(const Sequence& sequence, int32_t tokens) {
  const int32_t known = std::min(tokens, sequence.Known() - sequence.computed);
  const bool picks = sequence.computed + known == sequence.Known();
  if (Scores(sequence)) return tokens;
  return picks ? 1 + tokens - known : 0;
}

BatchBuilder::BatchBuilder(int32_t max_tokens, int32_t max_sequences, int32_t max_rows,
                           int32_t max_blocks)
    : max_tokens_(max_tokens), max_rows_(max_rows) {
  const auto tokens = static_cast<size_t>(max_tokens);
  for (auto* values : {&token_ids_, &positions_, &token_sequence_}) values->reserve(tokens);
  logit_rows_.reserve(static_cast<size_t>(max_rows));
  block_tables_.reserve(static_cast<size_t>(max_blocks));
  spans_.reserve(static_cast<size_t>(max_sequences));
  shares_.reserve(static_cast<size_t>(max_sequences));
}

void BatchBuilder::Clear() {
  for (auto* values : {&token_ids_, &positions_, &token_sequence_, &block_tables_, &logit_rows_}) {
    values->clear();
  }
  spans_.clear();
  shares_.clear();
}

void BatchBuilder::Add(Sequence& sequence, int32_t tokens) {
  TENON_CHECK(tokens > 0 && tokens <= TokensLeft() && RowsNeeded(sequence, tokens) <= RowsLeft());
  const int32_t known = std::min(tokens, sequence.Known() - sequence.computed);
  const int32_t drafts = tokens - known;
  const auto first_token = static_cast<int32_t>(token_ids_.size());
  const auto index = static_cast<int32_t>(spans_.size());
  for (int32_t i = 0; i < tokens; ++i) {
    const int32_t slot = sequence.computed + i;
    token_ids_.push_back(i < known ? sequence.tokens[static_cast<size_t>(slot)]
                                   : sequence.drafts[static_cast<size_t>(i - known)]);
    positions_.push_back(slot);
    token_sequence_.push_back(index);
  }
  const int32_t rows = RowsNeeded(sequence, tokens);
  shares_.push_back({.sequence = &sequence,
                     .tokens = tokens,
                     .drafts = drafts,
                     .first_row = static_cast<int32_t>(logit_rows_.size()),
                     .rows = rows,
                     .picks = sequence.computed + known == sequence.Known()});
  for (int32_t row = tokens - rows; row < tokens; ++row) logit_rows_.push_back(first_token + row);

  spans_.push_back({.first_token = first_token,
                    .tokens = tokens,
                    .context = sequence.computed,
                    .first_block = static_cast<int32_t>(block_tables_.size()),
                    .blocks = static_cast<int32_t>(sequence.blocks.size()),
                    .adapter = sequence.request->adapter});
  block_tables_.insert(block_tables_.end(), sequence.blocks.begin(), sequence.blocks.end());
}

Batch BatchBuilder::Build() const {
  return {.tokens = static_cast<int32_t>(token_ids_.size()),
          .sequences = static_cast<int32_t>(spans_.size()),
          .logit_rows = static_cast<int32_t>(logit_rows_.size()),
          .token_ids = token_ids_.data(),
          .positions = positions_.data(),
          .token_sequence = token_sequence_.data(),
          .spans = spans_.data(),
          .block_tables = block_tables_.data(),
          .logit_row_tokens = logit_rows_.data(),
          .tree_mask = nullptr,
          .host_spans = spans_.data()};
}

}  // namespace tenon::core
