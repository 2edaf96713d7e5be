// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "tenon/result.h"
#include "text/tokenizer_json/json.h"

namespace tenon::text::tokenizer_json {

// What tokenizer.json calls a pattern: {"String": text} or {"Regex": Oniguruma's syntax}.
// Immutable.
class Pattern {
 public:
  static constexpr size_t kMaxBytes = 16384;

  static Result<Pattern> Read(const Node& node);
  static Result<Pattern> Regex(std::string_view regex);
  static Result<Pattern> Text(std::string text);

  // Null for a regular expression.
  const std::string* text() const { return code_ == nullptr ? &text_ : nullptr; }

  // One walk over a text: all matches, left to right, without overlap. Empty ones count, but not
  // right behind another. One thread.
  class Walk {
   public:
    Walk(const Pattern& pattern, std::string_view text);

    // False: no more. kInvalid where a regular expression exceeds its match limit.
    // REQUIRES: well-formed UTF-8
    Result<bool> Next();
    size_t begin() const { return begin_; }
    size_t end() const { return end_; }

   private:
    Result<bool> Search(size_t from);

    const Pattern& pattern_;
    std::string_view text_;
    size_t begin_ = 0;
    size_t end_ = 0;
    bool matched_ = false;  // [begin_, end_) is a match
  };

 private:
  std::shared_ptr<const void> code_;  // pcre2_code; null: text_
  std::string text_;
};

}  // namespace tenon::text::tokenizer_json
