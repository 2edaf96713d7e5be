// SPDX-License-Identifier: Apache-2.0
#include "text/jinja/strings.h"

#include "text/utf8.h"

namespace tenon::text::jinja {
namespace {

template <typename Map>
std::string Mapped(std::string_view text, Map map) {
  std::string mapped;
  mapped.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const Utf8Step step = DecodeUtf8(text, at);
    if (step.kind == Utf8Step::kCharacter) {
      AppendUtf8(map(step.character), &mapped);
    } else {
      mapped.append(text.substr(at, step.bytes));
    }
    at += step.bytes;
  }
  return mapped;
}

// Latin Extended-A, where capitals and small letters alternate, and which parity the capitals have
// there.
bool Alternates(char32_t c, bool* capital_is_even) {
  *capital_is_even = (c >= 0x100 && c <= 0x137) || (c >= 0x14A && c <= 0x177);
  const bool odd = (c >= 0x139 && c <= 0x148) || (c >= 0x179 && c <= 0x17E);
  return (*capital_is_even && c != 0x130 && c != 0x131) || odd;
}

bool InSet(char32_t character, std::string_view set) {
  if (set.empty()) return IsSpace(character);
  for (size_t at = 0; at < set.size();) {
    const Utf8Step step = DecodeUtf8(set, at);
    if (step.kind == Utf8Step::kCharacter && step.character == character) return true;
    at += step.bytes;
  }
  return false;
}

}  // namespace

char32_t ToUpper(char32_t c) {
  if (c < 0x80) return c >= 'a' && c <= 'z' ? c - 32 : c;
  if (c == 0xB5) return 0x39C;
  if (c == 0xFF) return 0x178;
  if (c >= 0xE0 && c <= 0xFE) return c == 0xF7 ? c : c - 32;
  bool even = false;
  if (Alternates(c, &even)) return (c % 2 == 1) == even ? c - 1 : c;
  if (c >= 0x3B1 && c <= 0x3C9) return c == 0x3C2 ? 0x3A3 : c - 32;
  if (c >= 0x430 && c <= 0x44F) return c - 32;
  if (c >= 0x450 && c <= 0x45F) return c - 80;
  return c;
}

char32_t ToLower(char32_t c) {
  if (c < 0x80) return c >= 'A' && c <= 'Z' ? c + 32 : c;
  if (c == 0x178) return 0xFF;
  if (c >= 0xC0 && c <= 0xDE) return c == 0xD7 ? c : c + 32;
  bool even = false;
  if (Alternates(c, &even)) return (c % 2 == 0) == even ? c + 1 : c;
  if (c >= 0x391 && c <= 0x3A9) return c == 0x3A2 ? c : c + 32;
  if (c >= 0x410 && c <= 0x42F) return c + 32;
  if (c >= 0x400 && c <= 0x40F) return c + 80;
  return c;
}

bool IsLetter(char32_t c) {
  if (c < 0x80) return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  if (c < 0x2B0)
    return c == 0xAA || c == 0xB5 || c == 0xBA || (c >= 0xC0 && c != 0xD7 && c != 0xF7);
  static constexpr struct {
    char32_t first, last;
  } kOthers[] = {{0x2000, 0x206F}, {0x20A0, 0x20CF}, {0x2190, 0x2BFF}, {0x3000, 0x3004},
                 {0x3008, 0x3020}, {0xE000, 0xF8FF}, {0xFE30, 0xFE6F}, {0xFF00, 0xFF0F},
                 {0xFF1A, 0xFF20}, {0xFF3B, 0xFF40}, {0xFFE0, 0xFFFF}, {0x1F000, 0x1FAFF}};
  for (const auto& [first, last] : kOthers) {
    if (c >= first && c <= last) return false;
  }
  return !IsSpace(c);
}

bool IsWordPart(char32_t c) { return c == '_' || (c >= '0' && c <= '9') || IsLetter(c); }

std::vector<std::string_view> Lines(std::string_view text, bool keep_breaks) {
  std::vector<std::string_view> lines;
  size_t begin = 0;
  for (size_t at = 0; at < text.size();) {
    const Utf8Step step = DecodeUtf8(text, at);
    const char32_t c = step.kind == Utf8Step::kCharacter ? step.character : 0;
    size_t end = at + step.bytes;
    if (c == '\r' && end < text.size() && text[end] == '\n') ++end;
    if ((c >= 0x0A && c <= 0x0D) || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 ||
        c == 0x2029) {
      lines.push_back(text.substr(begin, (keep_breaks ? end : at) - begin));
      begin = end;
    }
    at = end;
  }
  if (begin < text.size()) lines.push_back(text.substr(begin));
  return lines;
}

std::string Upper(std::string_view text) {
  std::string upper = Mapped(text, ToUpper);
  static constexpr std::string_view kSharpS = "\u00df";  // the one small letter with two capitals
  for (size_t at = upper.find(kSharpS); at != std::string::npos; at = upper.find(kSharpS, at)) {
    upper.replace(at, kSharpS.size(), "SS");
  }
  return upper;
}

std::string Lower(std::string_view text) { return Mapped(text, ToLower); }

std::string Capitalize(std::string_view text) {
  bool first = true;
  return Mapped(text, [&first](char32_t c) {
    const char32_t mapped = first ? ToUpper(c) : ToLower(c);
    first = false;
    return mapped;
  });
}

std::string Title(std::string_view text) {
  bool inside = false;
  return Mapped(text, [&inside](char32_t c) {
    const char32_t mapped = inside ? ToLower(c) : ToUpper(c);
    inside = IsLetter(c);
    return mapped;
  });
}

std::string_view Strip(std::string_view text, std::string_view set, Ends ends) {
  size_t begin = 0, end = 0;  // the kept part
  bool seen = false;
  for (size_t at = 0; at < text.size();) {
    const Utf8Step step = DecodeUtf8(text, at);
    if (step.kind != Utf8Step::kCharacter || !InSet(step.character, set)) {
      if (!seen) begin = at;
      seen = true;
      end = at + step.bytes;
    }
    at += step.bytes;
  }
  if (!seen) return text.substr(0, 0);
  if (ends == Ends::kLeft) end = text.size();
  if (ends == Ends::kRight) begin = 0;
  return text.substr(begin, end - begin);
}

std::string Replace(std::string_view text, std::string_view from, std::string_view to, int64_t most,
                    size_t limit_bytes) {
  std::string result;
  size_t at = 0;
  while (most != 0 && result.size() <= limit_bytes) {
    if (most > 0) --most;
    if (from.empty()) {
      result += to;
      if (at == text.size()) return result;
      const size_t bytes = DecodeUtf8(text, at).bytes;
      result += text.substr(at, bytes);
      at += bytes;
      continue;
    }
    const size_t found = text.find(from, at);
    if (found == std::string_view::npos) break;
    result += text.substr(at, found - at);
    result += to;
    at = found + from.size();
  }
  return result += text.substr(at);
}

}  // namespace tenon::text::jinja
