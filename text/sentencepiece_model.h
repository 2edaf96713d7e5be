// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tenon/result.h"
#include "text/tokenizer.h"

// SentencePiece's own model files (tokenizer.model; Kudo and Richardson, 2018), BPE and Unigram,
// through the sentencepiece library.
namespace tenon::text {

// What else a model's folder says of tokens.
struct SentencePieceFiles {
  std::string model;                  // path of tokenizer.model
  std::string tokenizer_config_json;  // path; empty: none
  std::string chat_template_jinja;    // path; empty: none. Goes before tokenizer_config.json's
  // Of config.json; -1: not said, and the model's own count.
  int32_t bos = -1, eos = -1, pad = -1;
  std::vector<int32_t> more_eos;
};

// A prompt starts with bos unless tokenizer_config.json says otherwise. Control tokens are found in
// text only where parse_special is set; after each, text starts anew. What is not UTF-8 becomes
// U+FFFD on the way in. On the way out the space before the first token is dropped. Texts have at
// most kMaxSentencePieceTextBytes, since the library takes some hundred bytes of memory for a
// token; O(n log n) time.
Result<Tokenizer> OpenSentencePiece(const SentencePieceFiles& files);

// The same from a model in memory; `name` stands for the file in messages.
Result<Tokenizer> ParseSentencePiece(std::string_view model, const std::string& name,
                                     const SentencePieceFiles& files = {});

inline constexpr size_t kMaxSentencePieceTextBytes = size_t{8} << 20;

}  // namespace tenon::text
