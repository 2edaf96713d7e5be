// SPDX-License-Identifier: Apache-2.0
#include "text/tokenizer_json/regex.h"

#include "text/pcre2_limits.h"
#include "text/tokenizer_json/regex_syntax.h"
#include "text/utf8.h"

namespace tenon::text::tokenizer_json {
namespace {

pcre2_compile_context* LineFeedContext() {
  static pcre2_compile_context* const context = [] {
    pcre2_compile_context* made = pcre2_compile_context_create(nullptr);
    if (made != nullptr) {
      pcre2_set_newline(made, PCRE2_NEWLINE_LF);
      pcre2_set_parens_nest_limit(made, 64);
    }
    return made;
  }();
  return context;
}

// Room for one match; patterns of a sequence walk the same text in turn, word by word, so that one
// a walk would cost more than the matching.
pcre2_match_data* ThreadsMatch() {
  thread_local const std::unique_ptr<pcre2_match_data, void (*)(pcre2_match_data*)> match(
      pcre2_match_data_create(1, nullptr), &pcre2_match_data_free);
  return match.get();
}

}  // namespace

Result<Pattern> Pattern::Read(const Node& node) {
  Fields fields(node);
  const bool regex = fields.Has("Regex");
  const std::string text = fields.Text(regex ? "Regex" : "String");
  TENON_RETURN_IF_ERROR(fields.Done());
  auto pattern = regex ? Regex(text) : Text(text);
  if (!pattern.ok()) {
    return Error{pattern.error().status, node.where + ": " + pattern.error().message};
  }
  return pattern;
}

Result<Pattern> Pattern::Text(std::string text) {
  if (text.empty() || text.size() > kMaxBytes) {
    return Error{Status::kInvalid, "a pattern of " + std::to_string(text.size()) + " bytes; 1 to " +
                                       std::to_string(kMaxBytes) + " allowed"};
  }
  Pattern pattern;
  pattern.text_ = std::move(text);
  return pattern;
}

Result<Pattern> Pattern::Regex(std::string_view regex) {
  TENON_RETURN_IF_ERROR(Text(std::string(regex)));  // for its size
  const auto translated = TranslateRegex(regex);
  if (!translated.ok()) return translated.error();
  int error = 0;
  PCRE2_SIZE offset = 0;
  constexpr uint32_t kOptions =
      PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C | PCRE2_NO_UTF_CHECK;
  pcre2_code* code =
      pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated->data()), translated->size(), kOptions,
                    &error, &offset, LineFeedContext());
  if (code == nullptr) {
    return Error{Status::kUnsupported,
                 "pattern, near \"" + translated->substr(offset, 16) + "\": " + PcreMessage(error)};
  }
  Pattern pattern;
  pattern.code_ = std::shared_ptr<const void>(
      code, [](const void* c) { pcre2_code_free(static_cast<pcre2_code*>(const_cast<void*>(c))); });
  pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);  // without it the interpreter matches, only slower
  return pattern;
}

Pattern::Walk::Walk(const Pattern& pattern, std::string_view text)
    : pattern_(pattern), text_(text) {}

Result<bool> Pattern::Walk::Search(size_t from) {
  if (from > text_.size()) return false;
  if (pattern_.code_ == nullptr) {
    const size_t found = text_.find(pattern_.text_, from);
    if (found == std::string_view::npos) return false;
    begin_ = found;
    end_ = found + pattern_.text_.size();
    return true;
  }
  pcre2_match_data* const match = ThreadsMatch();
  if (match == nullptr) return Error{Status::kOutOfMemory, "no memory to match a pattern"};
  const int found = pcre2_match(static_cast<const pcre2_code*>(pattern_.code_.get()),
                                reinterpret_cast<PCRE2_SPTR>(text_.data()), text_.size(), from,
                                PCRE2_NO_UTF_CHECK, match, LimitedContext());
  if (found == PCRE2_ERROR_NOMATCH) return false;
  if (found < 0) {
    return Error{Status::kInvalid, "splitting text into words: " + PcreMessage(found) +
                                       ", at byte " + std::to_string(from)};
  }
  const PCRE2_SIZE* bounds = pcre2_get_ovector_pointer(match);
  begin_ = bounds[0];
  end_ = bounds[1];
  return true;
}

Result<bool> Pattern::Walk::Next() {
  const bool behind = matched_;
  const size_t last = end_;
  auto found = Search(last);
  if (found.ok() && *found && behind && begin_ == end_ && end_ == last) {
    found = Search(last + DecodeUtf8(text_, last).bytes + (last == text_.size() ? 1 : 0));
  }
  matched_ = found.ok() && *found;
  return found;
}

}  // namespace tenon::text::tokenizer_json
