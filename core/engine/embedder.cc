// SPDX-License-Identifier: Apache-2.0
#include "core/engine/embedder.h"

#include <algorithm>
#include <cmath>

#include "fmt/format.h"

namespace tenon::core {
namespace {

// Below this length a vector is left as it is, as PyTorch's normalize does.
constexpr double kLeastLength = 1e-12;

}  // namespace

Embedder::Embedder(Program& program, const EmbedderOptions& options)
    : program_(program),
      options_(options),
      row_(static_cast<size_t>(program.ResultColumns())),
      sum_(row_.size()) {
  const ProgramLimits& limits = program.Limits();
  TENON_CHECK(
      limits.max_logit_rows >=
      (PoolsAllRows() ? limits.max_tokens : std::min(limits.max_sequences, limits.max_tokens)));
  for (auto* values : {&token_ids_, &positions_, &token_sequence_, &logit_rows_}) {
    values->reserve(static_cast<size_t>(limits.max_tokens));
  }
  spans_.reserve(static_cast<size_t>(limits.max_sequences));
  indices_.reserve(static_cast<size_t>(limits.max_sequences));
}

bool Embedder::PoolsAllRows() const {
  return options_.pooling == Pooling::kMean || options_.pooling == Pooling::kMax;
}

int32_t Embedder::MaxTokens() const {
  return std::min(program_.Limits().max_tokens, program_.Limits().max_context);
}

int32_t Embedder::Pages(int32_t tokens) const {
  const int32_t page = program_.Memory().page_tokens;
  return page > 0 ? (tokens - 1) / page + 1 : 0;
}

Result<void> Embedder::Check(std::span<const std::vector<int32_t>> sequences) const {
  for (size_t i = 0; i < sequences.size(); ++i) {
    const std::vector<int32_t>& ids = sequences[i];
    if (ids.empty()) return Error{Status::kInvalid, fmt::format("sequence {} has no tokens", i)};
    if (ids.size() > static_cast<size_t>(MaxTokens())) {
      return Error{Status::kInvalid, fmt::format("sequence {} has {} tokens; at most {} allowed", i,
                                                 ids.size(), MaxTokens())};
    }
    for (const int32_t id : ids) {
      if (id >= 0 && id < options_.vocabulary) continue;
      return Error{Status::kInvalid, fmt::format("token id {} is outside the vocabulary of {}", id,
                                                 options_.vocabulary)};
    }
  }
  return {};
}

Result<void> Embedder::Embed(std::span<const std::vector<int32_t>> sequences, std::span<float> out,
                             const volatile bool* stop) {
  TENON_CHECK(out.size() >= sequences.size() * row_.size());
  TENON_RETURN_IF_ERROR(Check(sequences));
  ByLength left;
  for (size_t i = 0; i < sequences.size(); ++i) {
    left.emplace(static_cast<int32_t>(sequences[i].size()), i);
  }
  while (!left.empty()) {
    if (stop != nullptr && *stop) return Error{Status::kCancelled, "interrupted"};
    PackStep(sequences, left);
    TENON_RETURN_IF_ERROR(RunStep(out));
  }
  return {};
}

// The longest first, then always the longest that still fits: steps are nearly full.
void Embedder::PackStep(std::span<const std::vector<int32_t>> sequences, ByLength& left) {
  for (auto* values : {&token_ids_, &positions_, &token_sequence_, &block_tables_, &logit_rows_}) {
    values->clear();
  }
  spans_.clear();
  indices_.clear();
  const ProgramLimits& limits = program_.Limits();
  const ProgramMemory& memory = program_.Memory();
  while (!left.empty() && static_cast<int32_t>(spans_.size()) < limits.max_sequences) {
    int64_t room = limits.max_tokens - static_cast<int64_t>(token_ids_.size());
    if (memory.page_tokens > 0) {
      const auto free_pages = memory.pages - static_cast<int64_t>(block_tables_.size());
      room = std::min(room, free_pages * memory.page_tokens);
    }
    auto at = left.upper_bound(static_cast<int32_t>(room));
    if (at == left.begin()) break;
    --at;
    Add(sequences[at->second], at->second);
    left.erase(at);
  }
  TENON_CHECK(!spans_.empty());
}

void Embedder::Add(const std::vector<int32_t>& sequence, size_t index) {
  const auto first_token = static_cast<int32_t>(token_ids_.size());
  const auto tokens = static_cast<int32_t>(sequence.size());
  const auto first_block = static_cast<int32_t>(block_tables_.size());
  const int32_t blocks = Pages(tokens);
  for (int32_t i = 0; i < blocks; ++i) block_tables_.push_back(first_block + i);
  for (int32_t i = 0; i < tokens; ++i) {
    positions_.push_back(i);
    token_sequence_.push_back(static_cast<int32_t>(spans_.size()));
    const bool wanted = PoolsAllRows() || (options_.pooling == Pooling::kFirst && i == 0) ||
                        (options_.pooling == Pooling::kLast && i == tokens - 1);
    if (wanted) logit_rows_.push_back(first_token + i);
  }
  token_ids_.insert(token_ids_.end(), sequence.begin(), sequence.end());
  spans_.push_back({.first_token = first_token,
                    .tokens = tokens,
                    .context = 0,
                    .first_block = first_block,
                    .blocks = blocks,
                    .adapter = -1});
  indices_.push_back(index);
}

Result<void> Embedder::RunStep(std::span<float> out) {
  const Batch batch{.tokens = static_cast<int32_t>(token_ids_.size()),
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
  if (const Status status = program_.Run(batch); status != Status::kOk) {
    return Error{status, "the device failed to run a step of embeddings"};
  }
  ++steps_;
  int32_t row = 0;
  for (size_t i = 0; i < spans_.size(); ++i) {
    const int32_t rows = PoolsAllRows() ? spans_[i].tokens : 1;
    TENON_RETURN_IF_ERROR(Pool(row, rows, out.data() + indices_[i] * row_.size()));
    row += rows;
  }
  return {};
}

Result<void> Embedder::Pool(int32_t first_row, int32_t rows, float* out) {
  const bool largest = options_.pooling == Pooling::kMax;
  for (int32_t r = 0; r < rows; ++r) {
    if (const Status status = program_.ReadRow(first_row + r, row_.data()); status != Status::kOk) {
      return Error{status, "the device failed to give its results back"};
    }
    for (size_t i = 0; i < row_.size(); ++i) {
      const double value = row_[i];
      sum_[i] = r == 0 ? value : largest ? std::max(sum_[i], value) : sum_[i] + value;
    }
  }
  const double count = largest ? 1.0 : static_cast<double>(rows);
  double squares = 0;
  for (double& value : sum_) {
    value /= count;
    squares += value * value;
  }
  if (!std::isfinite(squares)) {
    return Error{Status::kInternal, "the model gave values that are no numbers"};
  }
  const double length = options_.normalise ? std::max(std::sqrt(squares), kLeastLength) : 1.0;
  for (size_t i = 0; i < sum_.size(); ++i) out[i] = static_cast<float>(sum_[i] / length);
  return {};
}

}  // namespace tenon::core
