// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tenon/result.h"
#include "text/special_tokens.h"
#include "text/tokenizer.h"

namespace tenon::apps::openai {

// Keeps what clients write from becoming control tokens ("<|im_end|>") where a template puts it
// between control tokens of its own. Client texts are marked before rendering where a token stands
// in them, or begins or ends at their borders; no token is then read across a mark. Immutable.
class ControlTokens {
 public:
  explicit ControlTokens(const text::Tokenizer& tokenizer);

  // A character that stands in none of `texts`; empty where all that may serve do.
  static std::string_view MarkFor(const std::vector<std::string_view>& texts);

  // `text` with `mark` before each place where a control token could begin, or end one that began
  // before the text. Most texts stay as they are.
  std::string Marked(std::string_view text, std::string_view mark) const;

  // The ids of a rendered prompt whose client texts are Marked: control tokens of the template's
  // own, none of a client's. Marks vanish.
  Result<std::vector<int32_t>> Encode(const text::Tokenizer& tokenizer, std::string_view rendered,
                                      std::string_view mark) const;

 private:
  bool BeginsAt(std::string_view text, size_t at) const;
  bool EndsAt(std::string_view text, size_t bytes) const;

  text::SpecialTokens tokens_;
  std::vector<std::string> forward_;   // the tokens' texts, sorted
  std::vector<std::string> backward_;  // the same, each turned round
  size_t longest_ = 0;
  bool first_bytes_[256] = {};
};

}  // namespace tenon::apps::openai
