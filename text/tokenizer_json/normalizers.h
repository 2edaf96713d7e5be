// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "tenon/result.h"
#include "text/tokenizer_json/json.h"

namespace tenon::text::tokenizer_json {

// A text may grow under normalisation, but not beyond this.
inline constexpr size_t kMaxNormalBytes = size_t{256} << 20;

Error NormalTextTooLong();

// Rewrites text before it is cut into words. Immutable; O(n).
class Normalizer {
 public:
  virtual ~Normalizer() = default;

  // kInvalid where the text grows beyond kMaxNormalBytes. REQUIRES: well-formed UTF-8
  virtual Result<void> Run(std::string* text) const = 0;
};

// "normalizer" of a tokenizer.json; kNormalizerKinds lists what can be read.
Result<std::unique_ptr<Normalizer>> ReadNormalizer(const Node& node);

// SentencePiece's compiled character map (its normalizer_spec.precompiled_charsmap), applied as
// Hugging Face does: to each grapheme cluster of up to 5 bytes as a whole, else by character.
Result<std::unique_ptr<Normalizer>> ReadPrecompiled(Fields& fields);

// BERT's basic cleaning.
Result<std::unique_ptr<Normalizer>> ReadBertNormalizer(Fields& fields);

// Appends the letters of GPT-2's alphabet that stand for `bytes`.
void AppendByteLetters(std::string_view bytes, std::string* out);

// The byte that a letter of that alphabet stands for; -1: none.
int ByteOfLetter(char32_t letter);

}  // namespace tenon::text::tokenizer_json
