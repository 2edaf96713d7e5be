// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tenon/result.h"
#include "text/vocabulary.h"

namespace tenon::text {

// Turns plain text, free of special tokens, into ids: one implementation per kind of vocabulary.
class Encoder {
 public:
  virtual ~Encoder() = default;

  // Appends the ids of `text`. `first` says that nothing, or a special token, stands before it.
  // Thread-safe. REQUIRES: text.size() <= kMaxTextBytes
  virtual Result<void> Encode(std::string_view text, bool first,
                              std::vector<int32_t>* ids) const = 0;

  // The bytes that token `id` stands for. REQUIRES: 0 <= id < vocabulary size
  virtual std::string Bytes(const Vocabulary& vocabulary, int32_t id) const = 0;
};

// Turns a whole text, added tokens and all, into ids: the pipeline of a tokenizer.json.
class TextEncoder {
 public:
  virtual ~TextEncoder() = default;

  // Appends the ids of `text`. Special tokens written in it are found only where `parse_special` is
  // set. Thread-safe. REQUIRES: text.size() <= kMaxTextBytes
  virtual Result<void> Encode(std::string_view text, bool parse_special,
                              std::vector<int32_t>* ids) const = 0;
};

inline constexpr size_t kMaxTextBytes = size_t{64} << 20;

// Byte-level BPE ("gpt2"; Radford et al., 2019). A byte that the vocabulary cannot spell is left
// out.
Result<std::unique_ptr<Encoder>> MakeByteLevelBpe(const Vocabulary& vocabulary);

// SentencePiece BPE ("llama"; Kudo and Richardson, 2018): spaces become U+2581, the pair whose
// union has the best score merges first, what has no token is spelled by byte tokens or else by
// unk.
Result<std::unique_ptr<Encoder>> MakeSentencePieceBpe(const Vocabulary& vocabulary);

}  // namespace tenon::text
