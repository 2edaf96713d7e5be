// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tenon/result.h"

namespace tenon::text {

// What a token is; the numbers are those of GGUF's tokenizer.ggml.token_type.
enum class TokenType : int32_t {
  kNormal = 1,
  kUnknown = 2,      // stands for what the vocabulary cannot spell
  kControl = 3,      // special: parsed from text only where asked for, skipped in output
  kUserDefined = 4,  // always found in text first and never split
  kUnused = 5,
  kByte = 6,  // "<0x0A>": one byte
};

// What a model file says of its tokens. Plain data; the names follow GGUF's tokenizer.ggml.* keys.
struct Vocabulary {
  // "gpt2": byte-level BPE, by merges; "llama": SentencePiece BPE, by scores; kTokenizerJson: as
  // the pipeline of a tokenizer.json does, with merges and scores of its own
  std::string kind;
  std::string pre;  // how text is cut into words before BPE: "smollm", "gpt-2", ...; only "gpt2"
  std::vector<std::string> tokens;  // [vocab_size], the index is the id; "gpt2": in its alphabet
  std::vector<float> scores;        // [vocab_size], higher merges first; "llama" needs them
  std::vector<TokenType> types;     // [vocab_size], or empty: all normal
  std::vector<std::string> merges;  // "left right", best first; "gpt2" needs them
  int32_t bos = -1;                 // -1: the model has none
  int32_t eos = -1;
  int32_t eot = -1;  // end of turn
  int32_t unk = -1;
  int32_t pad = -1;
  std::vector<int32_t> more_eos;  // further ids that end a text
  bool add_bos = false;           // a prompt starts with bos
  bool add_eos = false;           // a prompt ends with eos
  bool add_space_prefix = false;  // text is encoded as if a space stood before it
  std::string chat_template;      // Jinja source; empty: none

  TokenType type(int32_t id) const {
    return types.empty() ? TokenType::kNormal : types[static_cast<size_t>(id)];
  }
};

inline constexpr std::string_view kTokenizerJson = "tokenizer.json";

inline constexpr size_t kMaxTokens = size_t{1} << 20;
inline constexpr size_t kMaxTokenBytes = 4096;

// Checks everything that does not need the merges' meaning: sizes, ids, types, scores, duplicates.
// kUnsupported for a model this library cannot tokenise; kInvalid, naming the entry, otherwise.
Result<void> Validate(const Vocabulary& vocabulary);

}  // namespace tenon::text
