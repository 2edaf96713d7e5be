// SPDX-License-Identifier: Apache-2.0
#include "text/utf8.h"

#include <gtest/gtest.h>

namespace tenon::text {
namespace {

std::string Replaced(std::string_view text) {
  std::string out;
  AppendReplacingInvalid(text, &out);
  return out;
}

TEST(Utf8, DecodesEveryCharacterThatItEncodes) {
  for (char32_t c = 0; c <= 0x10FFFF; c += c < 0x3000 ? 1 : 97) {
    if (c >= 0xD800 && c < 0xE000) continue;
    std::string text;
    AppendUtf8(c, &text);
    const Utf8Step step = DecodeUtf8(text, 0);
    ASSERT_EQ(step.kind, Utf8Step::kCharacter) << static_cast<uint32_t>(c);
    ASSERT_EQ(step.character, c);
    ASSERT_EQ(step.bytes, text.size());
    ASSERT_EQ(CountCharacters(text), 1u);
  }
}

// The expected texts are those of Python: bytes.decode("utf-8", errors="replace").
TEST(Utf8, ReplacesAsPythonDoes) {
  EXPECT_EQ(Replaced("a\xFFz"), "a\uFFFDz");
  EXPECT_EQ(Replaced("\xC0\x80"), "\uFFFD\uFFFD");
  EXPECT_EQ(Replaced("\xE2\x82"), "\uFFFD");
  EXPECT_EQ(Replaced("\xE2\x82x"), "\uFFFDx");
  EXPECT_EQ(Replaced("\xE0\x80\x80"), "\uFFFD\uFFFD\uFFFD");
  EXPECT_EQ(Replaced("\xED\xA0\x80"), "\uFFFD\uFFFD\uFFFD");
  EXPECT_EQ(Replaced("\xF0\x9F\x98"), "\uFFFD");
  EXPECT_EQ(Replaced("\xF0\x9F\x41"), "\uFFFD\x41");
  EXPECT_EQ(Replaced("\xF4\x90\x80\x80"), "\uFFFD\uFFFD\uFFFD\uFFFD");
  EXPECT_EQ(Replaced("h\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x8D"), "h\u00e9\u20ac\U0001F60D");
}

TEST(Utf8, FindsTheValidPrefixAcrossLongAscii) {
  const std::string ascii(37, 'x');
  EXPECT_EQ(ValidUtf8Prefix(ascii), 37u);
  EXPECT_EQ(ValidUtf8Prefix(ascii + "\xE2\x82"), 37u);
  EXPECT_EQ(ValidUtf8Prefix(ascii + "\xC3\xA9" + ascii + "\xFF"), 76u);
}

TEST(Utf8, KnowsPythonsBlankSpace) {
  for (const char32_t c : {0x09, 0x0D, 0x1C, 0x1F, 0x20, 0x85, 0xA0, 0x1680, 0x2003, 0x3000}) {
    EXPECT_TRUE(IsSpace(c)) << static_cast<uint32_t>(c);
  }
  for (const char32_t c : {0x08, 0x0E, 0x61, 0x180E, 0x200B, 0xFEFF}) {
    EXPECT_FALSE(IsSpace(c)) << static_cast<uint32_t>(c);
  }
}

}  // namespace
}  // namespace tenon::text
