// SPDX-License-Identifier: Apache-2.0
#include "text/testing/long_texts.h"

#include <algorithm>
#include <array>

#include "text/testing/vocabularies.h"

namespace tenon::text::testing {
namespace {

constexpr std::array kTexts = std::to_array<LongText>({
    {"one_letter", "a", {}},
    {"one_letter_capital", "A", {}},
    {"random_letters", {}, "abcdefghijklmnopqrstuvwxyz"},
    {"mixed_case", {}, "abcdeABCDE"},
    {"one_digit", "1", {}},
    {"random_digits", {}, "0123456789"},
    {"spaces", " ", {}},
    {"tabs", "\t", {}},
    {"newlines", "\n", {}},
    {"carriage_returns", "\r\n", {}},
    {"spaces_and_newlines", " \n", {}},
    {"random_white_space", {}, " \t\n\r"},
    {"one_punctuation", "!", {}},
    {"dashes", "-", {}},
    {"random_punctuation", {}, "!?.,;:-_()[]{}<>=+*/'\""},
    {"apostrophes", "'s", {}},
    {"marks", "\u0301", {}},
    {"letters_and_marks", "e\u0301", {}},
    {"cyrillic", "\u0434\u0430", {}},
    {"cjk", "\u4f60\u597d", {}},
    {"one_cjk", "\u4e00", {}},
    {"hangul", "\ud55c\uad6d", {}},
    {"emoji", "\U0001F60D", {}},
    {"joined_emoji", "\U0001F468\u200D\U0001F469", {}},
    {"invalid_bytes", "\xFF", {}},
    {"cut_characters", "\xE2\x96", {}},
    {"random_bytes", {}, "\x80\x90\xA0\xC3\xE2\xF0 a"},
    {"zero_bytes", std::string_view("\0", 1), {}},
    {"alternating_letters", "ab", {}},
    {"letter_and_digit", "a1", {}},
    {"letter_and_space", "a ", {}},
    {"punctuation_and_space", "! ", {}},
});

}  // namespace

std::span<const LongText> LongTexts() { return kTexts; }

std::string Make(const LongText& kind, size_t bytes) {
  std::string text;
  if (kind.unit.empty()) {
    text = Random(7).Text(bytes, kind.letters);
  } else {
    text.reserve(bytes + kind.unit.size());
    while (text.size() < bytes) text += kind.unit;
  }
  text.resize(bytes);
  return text;
}

}  // namespace tenon::text::testing
