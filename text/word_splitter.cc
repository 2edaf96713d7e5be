// SPDX-License-Identifier: Apache-2.0
#include "text/word_splitter.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "text/utf8.h"

namespace tenon::text {
namespace {

// Unicode's White_Space; PCRE2's \s would add U+180E.
#define TENON_SPACE \
  "\\t-\\r "        \
  "\\x{85}\\x{A0}\\x{1680}\\x{2000}-\\x{200A}\\x{2028}\\x{2029}\\x{202F}\\x{205F}\\x{3000}"

// GPT-2's words: contractions, letters, digits, the rest, each with one space before it; of a
// longer run of spaces the last goes with the word that follows.
constexpr char kGpt2[] =
    "'(?:[sdmt]|ll|ve|re)| ?\\p{L}+| ?\\p{N}+| ?[^" TENON_SPACE "\\p{L}\\p{N}]+|[" TENON_SPACE
    "]+(?![^" TENON_SPACE "])|[" TENON_SPACE "]+";

// The same after each digit was cut out alone, so that a digit ends a run of spaces as the text's
// end does.
constexpr char kGpt2SingleDigits[] =
    "'(?:[sdmt]|ll|ve|re)| ?\\p{L}+|\\p{N}| ?[^" TENON_SPACE "\\p{L}\\p{N}]+|[" TENON_SPACE
    "]+(?![^" TENON_SPACE "\\p{N}])|[" TENON_SPACE "]+";

#undef TENON_SPACE

constexpr struct {
  std::string_view name;
  const char* pattern;
} kRules[] = {{"gpt-2", kGpt2}, {"smollm", kGpt2SingleDigits}};

constexpr uint32_t kMatchLimit = 10'000'000;
constexpr uint32_t kHeapLimitKib = 64 * 1024;

std::string PcreMessage(int code) {
  PCRE2_UCHAR buffer[256] = {};
  pcre2_get_error_message(code, buffer, sizeof(buffer));
  return reinterpret_cast<const char*>(buffer);
}

pcre2_match_context* LimitedContext() {
  static pcre2_match_context* const context = [] {
    pcre2_match_context* made = pcre2_match_context_create(nullptr);
    if (made != nullptr) {
      pcre2_set_match_limit(made, kMatchLimit);
      pcre2_set_heap_limit(made, kHeapLimitKib);
    }
    return made;
  }();
  return context;
}

}  // namespace

Result<WordSplitter> WordSplitter::ForName(std::string_view pre) {
  std::string known;
  for (const auto& rule : kRules) {
    if (rule.name == pre) return ForPattern(rule.pattern);
    known.append(known.empty() ? "" : ", ").append(rule.name);
  }
  return Error{Status::kUnsupported,
               "vocabulary: pre-tokenizer \"" + std::string(pre.substr(0, 64)) +
                   "\" is not supported; these are: " + known,
               {}};
}

Result<WordSplitter> WordSplitter::ForPattern(const std::string& pattern) {
  int error = 0;
  PCRE2_SIZE offset = 0;
  pcre2_code* code =
      pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                    PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C, &error, &offset, nullptr);
  if (code == nullptr) {
    return Error{
        Status::kInvalid,
        "pre-tokenizer pattern, at byte " + std::to_string(offset) + ": " + PcreMessage(error),
        {}};
  }
  pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);  // without it the interpreter matches, only slower
  return WordSplitter(std::shared_ptr<const void>(code, [](const void* c) {
    pcre2_code_free(static_cast<pcre2_code*>(const_cast<void*>(c)));
  }));
}

WordSplitter::Walk::Walk(const WordSplitter& splitter, std::string_view text)
    : splitter_(splitter), text_(text), match_(pcre2_match_data_create(1, nullptr)) {}

WordSplitter::Walk::~Walk() { pcre2_match_data_free(static_cast<pcre2_match_data*>(match_)); }

std::string_view WordSplitter::Walk::Cut(size_t end) {
  const std::string_view word = text_.substr(at_, end - at_);
  at_ = end;
  return word;
}

Result<std::string_view> WordSplitter::Walk::Next() {
  if (at_ == text_.size()) return std::string_view();
  if (match_end_ > at_) return Cut(match_end_);
  if (at_ == valid_end_) {
    valid_end_ = at_ + ValidUtf8Prefix(text_.substr(at_));
    if (valid_end_ == at_) {
      valid_end_ += DecodeUtf8(text_, at_).bytes;
      return Cut(valid_end_);
    }
  }
  auto* match = static_cast<pcre2_match_data*>(match_);
  if (match == nullptr)
    return Error{Status::kOutOfMemory, "no memory to split text into words", {}};
  // Each stretch is matched as a text of its own, so that no look-behind sees ill-formed bytes.
  const int found = pcre2_match(static_cast<const pcre2_code*>(splitter_.code_.get()),
                                reinterpret_cast<PCRE2_SPTR>(text_.data()), valid_end_, at_,
                                PCRE2_NO_UTF_CHECK | PCRE2_NOTEMPTY, match, LimitedContext());
  if (found == PCRE2_ERROR_NOMATCH) return Cut(valid_end_);
  if (found < 0) {
    return Error{
        Status::kInvalid,
        "splitting text into words: " + PcreMessage(found) + ", at byte " + std::to_string(at_),
        {}};
  }
  const PCRE2_SIZE* bounds = pcre2_get_ovector_pointer(match);
  if (bounds[0] > at_) {
    match_end_ = bounds[1];
    return Cut(bounds[0]);
  }
  return Cut(bounds[1]);
}

}  // namespace tenon::text
