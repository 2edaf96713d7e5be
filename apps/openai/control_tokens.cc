// SPDX-License-Identifier: Apache-2.0
#include "apps/openai/control_tokens.h"

#include <algorithm>

#include "text/utf8.h"

namespace tenon::apps::openai {
namespace {

// The first character of the last whole one before `end`.
size_t CharacterBefore(std::string_view text, size_t end) {
  size_t at = end - 1;
  while (at > 0 && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) --at;
  return at;
}

// Whether one of the sorted `texts` starts with `prefix`.
bool SomeStartsWith(const std::vector<std::string>& texts, std::string_view prefix) {
  const auto at = std::lower_bound(texts.begin(), texts.end(), prefix);
  return at != texts.end() && at->starts_with(prefix);
}

// With what the tokenizer puts before and after any text, unless it is there already.
Result<std::vector<int32_t>> WithEnds(const text::Tokenizer& tokenizer, std::vector<int32_t> ids) {
  const auto bare = tokenizer.Encode("a", {});
  TENON_RETURN_IF_ERROR(bare);
  const auto whole = tokenizer.Encode("a", {.add_special = true});
  TENON_RETURN_IF_ERROR(whole);
  const auto begin = std::search(whole->begin(), whole->end(), bare->begin(), bare->end());
  if (begin == whole->end()) return ids;
  const std::vector<int32_t> before(whole->begin(), begin);
  if (ids.size() < before.size() || !std::equal(before.begin(), before.end(), ids.begin())) {
    ids.insert(ids.begin(), before.begin(), before.end());
  }
  ids.insert(ids.end(), begin + static_cast<std::ptrdiff_t>(bare->size()), whole->end());
  return ids;
}

}  // namespace

ControlTokens::ControlTokens(const text::Tokenizer& tokenizer) {
  std::vector<std::pair<std::string, int32_t>> tokens;
  for (int32_t id = 0; id < tokenizer.vocab_size(); ++id) {
    if (!tokenizer.IsSpecial(id)) continue;
    for (const std::string_view text : {tokenizer.TokenText(id), tokenizer.Bytes(id)}) {
      if (text.empty()) continue;
      tokens.emplace_back(text, id);
      forward_.emplace_back(text);
      backward_.emplace_back(text.rbegin(), text.rend());
      longest_ = std::max(longest_, text.size());
      first_bytes_[static_cast<unsigned char>(text.front())] = true;
    }
  }
  std::sort(forward_.begin(), forward_.end());
  std::sort(backward_.begin(), backward_.end());
  tokens_ = text::SpecialTokens(std::move(tokens));
}

std::string_view ControlTokens::MarkFor(const std::vector<std::string_view>& texts) {
  // Noncharacters, which are not for interchange.
  static constexpr std::string_view kMarks[] = {"\uFDD0", "\uFDD1", "\uFDD2", "\uFDD3",
                                                "\uFDD4", "\uFDD5", "\uFDD6", "\uFDD7"};
  for (const std::string_view mark : kMarks) {
    const bool used = std::any_of(texts.begin(), texts.end(), [&](std::string_view text) {
      return text.find(mark) != std::string_view::npos;
    });
    if (!used) return mark;
  }
  return {};
}

// A token stands here, or the text ends within what could be one.
bool ControlTokens::BeginsAt(std::string_view text, size_t at) const {
  if (!first_bytes_[static_cast<unsigned char>(text[at])]) return false;
  auto low = forward_.begin(), high = forward_.end();
  // [low, high) start with the `depth` bytes from `at`.
  for (size_t depth = 0; low != high; ++depth) {
    if (low->size() == depth || at + depth == text.size()) return true;
    const char byte = text[at + depth];
    const auto before = [&](const std::string& token) {
      return token.size() <= depth ||
             static_cast<unsigned char>(token[depth]) < static_cast<unsigned char>(byte);
    };
    low = std::partition_point(low, high, before);
    high = std::partition_point(low, high,
                                [&](const std::string& token) { return token[depth] == byte; });
  }
  return false;
}

bool ControlTokens::EndsAt(std::string_view text, size_t bytes) const {
  const std::string turned(text.rend() - static_cast<std::ptrdiff_t>(bytes), text.rend());
  return SomeStartsWith(backward_, turned);
}

std::string ControlTokens::Marked(std::string_view text, std::string_view mark) const {
  std::vector<size_t> places;
  for (size_t bytes = 1; bytes < longest_ && bytes <= text.size(); ++bytes) {
    if (EndsAt(text, bytes)) places.push_back(CharacterBefore(text, bytes));
  }
  for (size_t at = 0; at < text.size(); ++at) {
    if (BeginsAt(text, at)) places.push_back(at);
  }
  std::sort(places.begin(), places.end());
  places.erase(std::unique(places.begin(), places.end()), places.end());
  std::string out;
  size_t done = 0;
  for (const size_t place : places) {
    out += text.substr(done, place - done);
    out += mark;
    done = place;
  }
  return out += text.substr(done);
}

Result<std::vector<int32_t>> ControlTokens::Encode(const text::Tokenizer& tokenizer,
                                                   std::string_view rendered,
                                                   std::string_view mark) const {
  if (mark.empty() || rendered.find(mark) == std::string_view::npos) {
    return tokenizer.Encode(rendered, {.parse_special = true, .add_special = true});
  }
  std::vector<int32_t> ids;
  std::string plain;  // since the last control token
  const auto encode_plain = [&]() -> Result<void> {
    auto more = tokenizer.Encode(plain, {});
    TENON_RETURN_IF_ERROR(more);
    ids.insert(ids.end(), more->begin(), more->end());
    plain.clear();
    return {};
  };
  for (size_t at = 0; at < rendered.size();) {
    // A mark stands for: no token begins at what follows.
    const size_t marked = rendered.find(mark, at);
    const size_t end = std::min(marked, rendered.size());
    for (text::SpecialTokens::Match match = tokens_.Find(rendered.substr(0, end), at);
         match.id >= 0; match = tokens_.Find(rendered.substr(0, end), at)) {
      plain += rendered.substr(at, match.begin - at);
      TENON_RETURN_IF_ERROR(encode_plain());
      ids.push_back(match.id);
      at = match.begin + match.bytes;
    }
    plain += rendered.substr(at, end - at);
    if (end == rendered.size()) break;
    const size_t character = end + mark.size();
    // The character behind the mark is taken as it is.
    const size_t bytes = character < rendered.size()
                             ? std::max<size_t>(1, text::DecodeUtf8(rendered, character).bytes)
                             : 0;
    plain += rendered.substr(character, bytes);
    at = character + bytes;
  }
  TENON_RETURN_IF_ERROR(encode_plain());
  return WithEnds(tokenizer, std::move(ids));
}

}  // namespace tenon::apps::openai
