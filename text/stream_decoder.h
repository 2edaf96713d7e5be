// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "text/token_decoder.h"

namespace tenon::text {

class Tokenizer;

struct StreamOptions {
  // Control and unknown tokens give no text.
  bool skip_special = true;
  // The tokens start a text, so that the space which add_space_prefix put there is taken off. Clear
  // it where they continue one.
  bool starts_text = true;
};

// Token ids to text as they come. Every string given out is whole UTF-8 characters: the bytes of an
// unfinished one wait for the next token, and what can be none becomes U+FFFD as in Python's
// errors="replace". All strings together are the text of Tokenizer::Decode. One per stream, one
// thread.
class StreamDecoder {
 public:
  // The tokenizer must outlive the decoder.
  explicit StreamDecoder(const Tokenizer& tokenizer, const StreamOptions& options = {});

  // The text that `id` completes; often one word, sometimes empty. An id outside the vocabulary
  // gives none.
  std::string Push(int32_t id);

  // The end: the unfinished character, if any, as one U+FFFD. The decoder is then as new.
  std::string Flush();

 private:
  void Start();
  std::string_view PlainPiece(int32_t id);
  std::string DecodedPiece(int32_t id);
  std::string TakeWhole();            // the whole characters of held_
  std::string Filtered(std::string);  // as the tokenizer's decoder asks for

  const Tokenizer* tokenizer_;
  StreamOptions options_;
  bool strip_space_;  // the next byte, if a space, is the prefix
  std::string held_;  // at most 3 bytes

  // Where the tokenizer has a decoder of its own:
  std::vector<std::unique_ptr<TextFilter>> filters_;
  bool first_ = false;          // the next token starts a text
  int32_t waiting_ = -1;        // a token that comes out when it is known whether another follows
  bool waiting_first_ = false;  // it starts a text
};

}  // namespace tenon::text
