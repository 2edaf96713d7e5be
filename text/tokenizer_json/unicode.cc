// SPDX-License-Identifier: Apache-2.0
#include "text/tokenizer_json/unicode.h"

#include <utf8proc.h>

#include <algorithm>
#include <vector>

#include "tenon/result.h"
#include "text/utf8.h"

namespace tenon::text::tokenizer_json {
namespace {

utf8proc_category_t CategoryOf(char32_t c) {
  return utf8proc_category(static_cast<utf8proc_int32_t>(c));
}

// Property Other_Alphabetic outside of the marks: letters in circles and squares.
bool IsEnclosedLetter(char32_t c) {
  return (c >= 0x24B6 && c <= 0x24E9) || (c >= 0x1F130 && c <= 0x1F149) ||
         (c >= 0x1F150 && c <= 0x1F169) || (c >= 0x1F170 && c <= 0x1F189);
}

int CombiningClass(utf8proc_int32_t c) { return utf8proc_get_property(c)->combining_class; }

void AppendDecomposed(char32_t c, bool compatible, std::vector<utf8proc_int32_t>* out) {
  constexpr int kLongest = 32;  // U+FDFA has 18
  utf8proc_int32_t parts[kLongest];
  const int options = UTF8PROC_DECOMPOSE | (compatible ? UTF8PROC_COMPAT : 0);
  int boundary = 0;
  const auto count = utf8proc_decompose_char(static_cast<utf8proc_int32_t>(c), parts, kLongest,
                                             static_cast<utf8proc_option_t>(options), &boundary);
  TENON_CHECK(count >= 0 && count <= kLongest);
  out->insert(out->end(), parts, parts + count);
}

// Canonical ordering (UAX 15), of a whole run of marks at once: exchanging neighbours would take
// quadratic time.
void OrderMarks(std::vector<utf8proc_int32_t>* text) {
  auto& t = *text;
  for (size_t i = 0; i < t.size(); ++i) {
    if (CombiningClass(t[i]) == 0) continue;
    size_t end = i + 1;
    while (end < t.size() && CombiningClass(t[end]) != 0) ++end;
    std::stable_sort(t.begin() + static_cast<ptrdiff_t>(i), t.begin() + static_cast<ptrdiff_t>(end),
                     [](auto a, auto b) { return CombiningClass(a) < CombiningClass(b); });
    i = end - 1;
  }
}

// Whether nothing joins `c` to what stands before it: what composes with it are marks and the
// middle and last letters of Hangul.
bool StartsAnew(utf8proc_int32_t c) {
  return !IsMark(static_cast<char32_t>(c)) && !(c >= 0x1160 && c <= 0x11FF);
}

// Orders, composes where the form asks for it, and appends; empties `characters`.
void Finish(NormalForm form, std::vector<utf8proc_int32_t>* characters, std::string* out) {
  OrderMarks(characters);
  auto count = static_cast<utf8proc_ssize_t>(characters->size());
  if (form == NormalForm::kNfc || form == NormalForm::kNfkc) {
    constexpr int kOptions = UTF8PROC_COMPOSE | UTF8PROC_STABLE;
    count = utf8proc_normalize_utf32(characters->data(), count,
                                     static_cast<utf8proc_option_t>(kOptions));
    TENON_CHECK(count >= 0);
  }
  for (utf8proc_ssize_t i = 0; i < count; ++i) {
    AppendUtf8(static_cast<char32_t>((*characters)[static_cast<size_t>(i)]), out);
  }
  characters->clear();
}

void AppendNormal(std::string_view text, NormalForm form, std::string* out) {
  constexpr size_t kChunk = 4096;  // of characters at once; more only in runs of marks
  const bool compatible = form == NormalForm::kNfkc || form == NormalForm::kNfkd;
  std::vector<utf8proc_int32_t> characters, next;
  for (size_t at = 0; at < text.size();) {
    const Utf8Step step = DecodeUtf8(text, at);
    next.clear();
    AppendDecomposed(step.character, compatible, &next);
    if (characters.size() >= kChunk && StartsAnew(next.front())) Finish(form, &characters, out);
    characters.insert(characters.end(), next.begin(), next.end());
    at += step.bytes;
  }
  Finish(form, &characters, out);
}

bool IsAscii(char c) { return static_cast<uint8_t>(c) < 0x80; }

}  // namespace

bool IsWhiteSpace(char32_t c) {
  if (c < 0x80) return c == ' ' || (c >= 9 && c <= 13);
  return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 ||
         c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

bool IsNumeric(char32_t c) {
  if (c < 0x80) return c >= '0' && c <= '9';
  const auto category = CategoryOf(c);
  return category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO;
}

bool IsPunctuation(char32_t c) {
  if (c < 0x80) {
    return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') ||
           (c >= '{' && c <= '~');
  }
  const auto category = CategoryOf(c);
  return category >= UTF8PROC_CATEGORY_PC && category <= UTF8PROC_CATEGORY_PO;
}

bool IsWordCharacter(char32_t c) {
  if (c < 0x80) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
  }
  if (c == 0x200C || c == 0x200D) return true;
  const auto category = CategoryOf(c);
  return (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_NL) ||
         category == UTF8PROC_CATEGORY_PC || IsEnclosedLetter(c);
}

bool IsMark(char32_t c) {
  const auto category = CategoryOf(c);
  return category >= UTF8PROC_CATEGORY_MN && category <= UTF8PROC_CATEGORY_ME;
}

bool IsNonspacingMark(char32_t c) { return c >= 0x80 && CategoryOf(c) == UTF8PROC_CATEGORY_MN; }

bool IsOther(char32_t c) {
  if (c < 0x80) return c < ' ' || c == 0x7F;
  return CategoryOf(c) >= UTF8PROC_CATEGORY_CC;
}

void AppendLower(char32_t c, std::string* out) {
  if (c < 0x80) {
    out->push_back(static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c));
  } else if (c == 0x130) {
    out->append("i\xCC\x87");
  } else {
    AppendUtf8(static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c))), out);
  }
}

std::string Normalize(std::string_view text, NormalForm form) {
  std::string out;
  out.reserve(text.size() + text.size() / 8);
  size_t plain = 0;  // text[plain, at) is ASCII and stands as it is
  for (size_t at = 0; at < text.size();) {
    if (IsAscii(text[at])) {
      ++at;
      continue;
    }
    // An ASCII character may take the marks behind it; it never joins what is before.
    const size_t begin = at > plain ? at - 1 : at;
    size_t end = at;
    while (end < text.size() && !IsAscii(text[end])) ++end;
    out.append(text.substr(plain, begin - plain));
    AppendNormal(text.substr(begin, end - begin), form, &out);
    plain = at = end;
  }
  return out.append(text.substr(plain));
}

size_t GraphemeBytes(std::string_view text, size_t at) {
  Utf8Step step = DecodeUtf8(text, at);
  utf8proc_int32_t state = 0;
  size_t end = at + step.bytes;
  while (end < text.size()) {
    const Utf8Step next = DecodeUtf8(text, end);
    if (utf8proc_grapheme_break_stateful(static_cast<utf8proc_int32_t>(step.character),
                                         static_cast<utf8proc_int32_t>(next.character), &state)) {
      break;
    }
    step = next;
    end += step.bytes;
  }
  return end - at;
}

}  // namespace tenon::text::tokenizer_json
