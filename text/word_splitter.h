// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tenon/result.h"
#include "text/pre_tokenizers.h"

namespace tenon::text {

// Cuts text into the words within which byte-level BPE merges, by regular expressions (PCRE2, JIT,
// with a match limit). Thread-safe.
class WordSplitter {
 public:
  // The rule that GGUF's tokenizer.ggml.pre names. kUnsupported, with the names known, for others.
  static Result<WordSplitter> ForName(std::string_view pre);

  // Matches of `pattern` are words, and so is what lies between them; \s and \S mean Unicode's
  // White_Space. kInvalid, with the place, where it is none.
  static Result<WordSplitter> ForPattern(const std::string& pattern);

  // Several patterns: each cuts the words of the one before. REQUIRES: one at least
  static Result<WordSplitter> ForStages(std::span<const SplitStage> stages);

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
    // A stage at work on one word of the stage before. Offsets are those of text_.
    struct Cutting {
      size_t begin = 0, end = 0;  // that word
      size_t at = 0;              // start of the next piece
      size_t match_end = 0;       // above at: the next piece is a match and ends here
      size_t characters = 0;      // above 0: of the match, which is to be cut in threes
    };
    bool NextStretch(std::string_view* invalid);
    Result<std::string_view> NextPiece(size_t stage);
    std::string_view Cut(Cutting* cutting, size_t end) const;
    std::string_view CutMatch(Cutting* cutting) const;

    const WordSplitter& splitter_;
    std::string_view text_;
    void* match_;                    // pcre2_match_data
    size_t at_ = 0;                  // in text_: what no stage has seen yet
    size_t depth_ = 0;               // stages that have text left are among [0, depth_)
    std::vector<Cutting> cuttings_;  // [stages]
  };

 private:
  struct Stage {
    std::shared_ptr<const void> code;  // pcre2_code
    bool threes;
  };
  WordSplitter() = default;
  Result<void> Add(const std::string& pattern, bool threes);

  std::vector<Stage> stages_;
};

}  // namespace tenon::text
