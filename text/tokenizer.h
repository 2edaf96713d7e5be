// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tenon/result.h"
#include "text/encoder.h"
#include "text/token_decoder.h"
#include "text/vocabulary.h"

namespace tenon::text {

struct EncodeOptions {
  // Control tokens written in the text ("<|im_end|>") become those tokens. Leave it off for what
  // users type, so that they cannot forge a turn. User-defined tokens are found either way.
  bool parse_special = false;
  // Puts bos before and eos after the ids where the vocabulary's add_bos and add_eos ask for it, or
  // what a tokenizer.json puts around texts; what parse_special already found at the start is not
  // doubled.
  bool add_special = false;
};

// What a tokenizer.json makes of itself.
struct TokenizerParts {
  Vocabulary vocabulary;  // of kind kTokenizerJson
  std::unique_ptr<const TextEncoder> encoder;
  std::unique_ptr<const TokenDecoder> decoder;
  std::unordered_map<int32_t, std::string> decoded_as;  // where not as the token is written
  std::vector<int32_t> before, after;                   // what add_special puts around the ids
};

// Text to token ids and back. Immutable: all methods are thread-safe. Movable, not copyable.
class Tokenizer {
 public:
  // Takes the vocabulary. kInvalid or kUnsupported, naming the entry, where it cannot be used.
  static Result<Tokenizer> Make(Vocabulary vocabulary);
  static Result<Tokenizer> Make(TokenizerParts parts);

  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;
  ~Tokenizer();

  // The ids of any bytes, UTF-8 or not, up to 64 MiB; kInvalid beyond. O(n log n) time, flat stack.
  Result<std::vector<int32_t>> Encode(std::string_view text,
                                      const EncodeOptions& options = {}) const;

  // The text of `ids` as UTF-8: what is not UTF-8 becomes U+FFFD. Ids outside the vocabulary are
  // left out, as are control tokens where skip_special is set. The space that add_space_prefix put
  // before the text is taken off. A StreamDecoder gives the same text piece by piece.
  std::string Decode(std::span<const int32_t> ids, bool skip_special = false) const;

  // The bytes that a token stands for within a text, which may be part of a character; empty
  // outside the vocabulary. Valid as long as the tokenizer.
  std::string_view Bytes(int32_t id) const;

  // The token as the model file writes it; empty outside the vocabulary.
  std::string_view TokenText(int32_t id) const;

  // Whether a model that gives this token has said all: eos, eot and the well-known ends of turns.
  bool IsEndOfGeneration(int32_t id) const;
  std::span<const int32_t> EndOfGeneration() const;  // sorted

  // Control or unknown: not part of what is said.
  bool IsSpecial(int32_t id) const;

  // The id of a token by its text as the model file writes it; -1 where there is none.
  // O(vocab_size).
  int32_t Find(std::string_view token) const;

  int32_t vocab_size() const;

  // How tokens become text where that takes more than their bytes; null otherwise.
  const TokenDecoder* decoder() const;
  // What decoder() makes text of, for a token: mostly TokenText.
  std::string_view DecodedAs(int32_t id) const;

  // Without its merges, which are no longer needed.
  const Vocabulary& vocabulary() const;

 private:
  struct State;
  explicit Tokenizer(std::unique_ptr<const State> state);

  std::unique_ptr<const State> state_;
};

}  // namespace tenon::text
