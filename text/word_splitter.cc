// SPDX-License-Identifier: Apache-2.0
#include "text/word_splitter.h"

#include "text/pcre2_limits.h"
#include "text/utf8.h"

namespace tenon::text {
namespace {

// Unicode's White_Space; PCRE2's \s would add U+180E.
constexpr std::string_view kSpaces =
    "\\t-\\r \\x{85}\\x{A0}\\x{1680}\\x{2000}-\\x{200A}\\x{2028}\\x{2029}\\x{202F}\\x{205F}"
    "\\x{3000}";

// The pattern with \s, and \S outside classes, spelled out.
std::string WithSpacesSpelled(std::string_view pattern) {
  std::string spelled;
  bool in_class = false;
  for (size_t at = 0; at < pattern.size(); ++at) {
    const char c = pattern[at], next = at + 1 < pattern.size() ? pattern[at + 1] : '\0';
    if (c == '\\' && (next == 's' || (next == 'S' && !in_class))) {
      if (!in_class) spelled += next == 's' ? "[" : "[^";
      spelled += kSpaces;
      if (!in_class) spelled += ']';
      ++at;
      continue;
    }
    spelled += c;
    if (c == '\\' && next != '\0') {
      spelled += pattern[++at];
    } else if (c == '[' && !in_class) {
      in_class = true;
      // A bracket that comes first stands for itself.
      if (next == '^') spelled += pattern[++at];
      if (at + 1 < pattern.size() && pattern[at + 1] == ']') spelled += pattern[++at];
    } else if (c == '[' && next == ':') {
      const size_t close = pattern.find(":]", at + 2);
      if (close == std::string_view::npos) continue;
      spelled += pattern.substr(at + 1, close + 1 - at);
      at = close + 1;
    } else if (c == ']') {
      in_class = false;
    }
  }
  return spelled;
}

}  // namespace

Result<WordSplitter> WordSplitter::ForName(std::string_view pre) {
  if (const PreTokenizer* known = FindPreTokenizer(pre)) return ForStages(known->stages);
  std::string names;
  for (const PreTokenizer& known : PreTokenizers()) {
    names.append(names.empty() ? "" : ", ").append(known.name);
  }
  return Error{Status::kUnsupported,
               "vocabulary: pre-tokenizer \"" + std::string(pre.substr(0, 64)) +
                   "\" is not supported; these are: " + names,
               {}};
}

Result<WordSplitter> WordSplitter::ForPattern(const std::string& pattern) {
  WordSplitter splitter;
  TENON_RETURN_IF_ERROR(splitter.Add(pattern, false));
  return splitter;
}

Result<WordSplitter> WordSplitter::ForStages(std::span<const SplitStage> stages) {
  WordSplitter splitter;
  for (const SplitStage& stage : stages) {
    TENON_RETURN_IF_ERROR(splitter.Add(stage.pattern, stage.threes));
  }
  return splitter;
}

Result<void> WordSplitter::Add(const std::string& given, bool threes) {
  const std::string pattern = WithSpacesSpelled(given);
  int error = 0;
  PCRE2_SIZE offset = 0;
  pcre2_code* code =
      pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                    PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C, &error, &offset, nullptr);
  if (code == nullptr) {
    return Error{Status::kInvalid,
                 "pre-tokenizer pattern, at byte " + std::to_string(offset) + ": " +
                     PcreMessage(error) + ": " + pattern.substr(0, 256),
                 {}};
  }
  pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);  // without it the interpreter matches, only slower
  stages_.push_back(
      {std::shared_ptr<const void>(
           code,
           [](const void* c) { pcre2_code_free(static_cast<pcre2_code*>(const_cast<void*>(c))); }),
       threes});
  return {};
}

WordSplitter::Walk::Walk(const WordSplitter& splitter, std::string_view text)
    : splitter_(splitter),
      text_(text),
      match_(pcre2_match_data_create(1, nullptr)),
      cuttings_(splitter.stages_.size()) {}

WordSplitter::Walk::~Walk() { pcre2_match_data_free(static_cast<pcre2_match_data*>(match_)); }

std::string_view WordSplitter::Walk::Cut(Cutting* cutting, size_t end) const {
  const std::string_view piece = text_.substr(cutting->at, end - cutting->at);
  cutting->at = end;
  return piece;
}

// Where the match is to be cut in threes, its next group.
std::string_view WordSplitter::Walk::CutMatch(Cutting* cutting) const {
  if (cutting->characters == 0) return Cut(cutting, cutting->match_end);
  const size_t group = (cutting->characters - 1) % 3 + 1;
  cutting->characters -= group;
  size_t end = cutting->at;
  for (size_t i = 0; i < group; ++i) end += DecodeUtf8(text_, end).bytes;
  return Cut(cutting, end);
}

// Gives the first stage the next well-formed stretch, or returns false with what is ill-formed. At
// the end of the text that is empty.
bool WordSplitter::Walk::NextStretch(std::string_view* invalid) {
  const size_t valid = ValidUtf8Prefix(text_.substr(at_));
  const size_t bytes = valid > 0 ? valid : DecodeUtf8(text_, at_).bytes;
  if (valid > 0) {
    cuttings_[0] = {at_, at_ + valid, at_, 0, 0};
    depth_ = 1;
  } else {
    *invalid = text_.substr(at_, bytes);
  }
  at_ += bytes;
  return valid > 0;
}

Result<std::string_view> WordSplitter::Walk::NextPiece(size_t stage) {
  Cutting& cutting = cuttings_[stage];
  if (cutting.match_end > cutting.at) return CutMatch(&cutting);
  auto* match = static_cast<pcre2_match_data*>(match_);
  if (match == nullptr) {
    return Error{Status::kOutOfMemory, "no memory to split text into words", {}};
  }
  // Each word is matched as a text of its own, so that nothing outside is looked at.
  const auto* subject = reinterpret_cast<PCRE2_SPTR>(text_.data() + cutting.begin);
  const int found = pcre2_match(static_cast<const pcre2_code*>(splitter_.stages_[stage].code.get()),
                                subject, cutting.end - cutting.begin, cutting.at - cutting.begin,
                                PCRE2_NO_UTF_CHECK | PCRE2_NOTEMPTY, match, LimitedContext());
  if (found == PCRE2_ERROR_NOMATCH) return Cut(&cutting, cutting.end);
  if (found < 0) {
    return Error{Status::kInvalid,
                 "splitting text into words: " + PcreMessage(found) + ", at byte " +
                     std::to_string(cutting.at),
                 {}};
  }
  const PCRE2_SIZE* bounds = pcre2_get_ovector_pointer(match);
  const size_t begin = cutting.begin + bounds[0];
  cutting.match_end = cutting.begin + bounds[1];
  cutting.characters = splitter_.stages_[stage].threes
                           ? CountCharacters(text_.substr(begin, bounds[1] - bounds[0]))
                           : 0;
  return begin > cutting.at ? Cut(&cutting, begin) : CutMatch(&cutting);
}

Result<std::string_view> WordSplitter::Walk::Next() {
  while (true) {
    while (depth_ > 0 && cuttings_[depth_ - 1].at == cuttings_[depth_ - 1].end) --depth_;
    std::string_view invalid;
    if (depth_ == 0 && !NextStretch(&invalid)) return invalid;
    auto piece = NextPiece(depth_ - 1);
    if (!piece.ok() || depth_ == cuttings_.size()) return piece;
    const auto begin = static_cast<size_t>(piece->data() - text_.data());
    cuttings_[depth_++] = {begin, begin + piece->size(), begin, 0, 0};
  }
}

}  // namespace tenon::text
