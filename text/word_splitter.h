// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "tenon/result.h"

namespace tenon::text {

// Cuts text into the words within which byte-level BPE merges, by a regular expression (PCRE2, JIT,
// with a match limit). Thread-safe.
class WordSplitter {
 public:
  // The rule that GGUF's tokenizer.ggml.pre names. kUnsupported, with the names known, for others.
  static Result<WordSplitter> ForName(std::string_view pre);

  // Matches of `pattern` are words, and so is what lies between them.
  static Result<WordSplitter> ForPattern(const std::string& pattern);

  // One walk over a text. What is not UTF-8 becomes words of its own.
  class Walk {
   public:
    Walk(const WordSplitter& splitter, std::string_view text);
    ~Walk();
    Walk(const Walk&) = delete;
    Walk& operator=(const Walk&) = delete;

    // The next word; empty at the end. kInvalid where the pattern exceeds its match limit.
    Result<std::string_view> Next();

   private:
    std::string_view Cut(size_t end);

    const WordSplitter& splitter_;
    std::string_view text_;
    void* match_;           // pcre2_match_data
    size_t at_ = 0;         // start of the next word
    size_t valid_end_ = 0;  // text_[at_, valid_end_) is UTF-8
    size_t match_end_ = 0;  // above at_: the next word was found already and ends here
  };

 private:
  explicit WordSplitter(std::shared_ptr<const void> code) : code_(std::move(code)) {}

  std::shared_ptr<const void> code_;  // pcre2_code
};

}  // namespace tenon::text
