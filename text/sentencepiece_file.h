// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tenon/result.h"
#include "text/vocabulary.h"

namespace tenon::text {

// What a SentencePiece model file (ModelProto of sentencepiece_model.proto, in protobuf's wire
// format) says of itself.
struct SentencePieceFile {
  std::vector<std::string> pieces;  // the index is the id
  std::vector<float> scores;
  std::vector<TokenType> types;
  bool byte_fallback = false;    // what has no piece is spelled by <0x00> to <0xFF>
  bool add_dummy_prefix = true;  // text is encoded as if a space stood before it
  bool remove_extra_spaces = true;
};

inline constexpr size_t kMaxSentencePieceFileBytes = size_t{64} << 20;

// Reads a file that may be hostile and checks what the sentencepiece library takes on trust: sizes,
// pieces, scores, and every offset in its tables of characters. kUnsupported for models of words or
// characters, and for spaces as suffixes. `name` stands for the file in messages.
Result<SentencePieceFile> ParseSentencePieceFile(std::string_view bytes, const std::string& name);

}  // namespace tenon::text
