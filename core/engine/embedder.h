// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "core/program/program.h"
#include "tenon/result.h"

namespace tenon::core {

// How one vector is made of a sequence's rows.
enum class Pooling : uint8_t { kMean, kMax, kFirst, kLast };

constexpr const char* Name(Pooling pooling) {
  switch (pooling) {
    case Pooling::kMean:
      return "mean";
    case Pooling::kMax:
      return "max";
    case Pooling::kFirst:
      return "cls";
    case Pooling::kLast:
      return "last";
  }
  return "";
}

struct EmbedderOptions {
  Pooling pooling = Pooling::kMean;
  bool normalise = true;   // to length 1; a zero vector stays one
  int32_t vocabulary = 0;  // ids are 0 … vocabulary - 1
};

// Embeds sequences with a Program whose result is hidden rows: each runs whole, in one step, packed
// with others and without padding. KV pages, where the Program has some, are used for the step and
// forgotten. A sequence's embedding is the same bits in whatever company. Thread: one.
class Embedder {
 public:
  // The Program outlives it. REQUIRES: limits hold at least one logit row a sequence, and for mean
  // and max as many as tokens.
  Embedder(Program& program, const EmbedderOptions& options);

  int32_t Columns() const { return program_.ResultColumns(); }
  // Most tokens of a sequence: what a step and the context hold.
  int32_t MaxTokens() const;

  // out[i] = embedding of sequences[i]. kInvalid for a sequence without tokens, with more than
  // MaxTokens(), or with an id outside the vocabulary; kCancelled when `stop` was set (checked
  // between steps); the Program's status, and kInternal for values that are not finite.
  // REQUIRES: out holds sequences.size() * Columns() floats.
  Result<void> Embed(std::span<const std::vector<int32_t>> sequences, std::span<float> out,
                     const volatile bool* stop = nullptr);

  int64_t Steps() const { return steps_; }  // run so far

 private:
  using ByLength = std::multimap<int32_t, size_t>;

  Result<void> Check(std::span<const std::vector<int32_t>> sequences) const;
  void PackStep(std::span<const std::vector<int32_t>> sequences, ByLength& left);
  void Add(const std::vector<int32_t>& sequence, size_t index);
  int32_t Pages(int32_t tokens) const;
  Result<void> RunStep(std::span<float> out);
  Result<void> Pool(int32_t first_row, int32_t rows, float* out);
  bool PoolsAllRows() const;

  Program& program_;
  EmbedderOptions options_;
  std::vector<int32_t> token_ids_, positions_, token_sequence_, block_tables_, logit_rows_;
  std::vector<SequenceSpan> spans_;
  std::vector<size_t> indices_;  // of the step's sequences
  std::vector<float> row_;
  std::vector<double> sum_;
  int64_t steps_ = 0;
};

}  // namespace tenon::core
