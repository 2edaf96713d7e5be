// SPDX-License-Identifier: Apache-2.0
#include "text/tokenizer_json/regex.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "text/tokenizer_json/regex_syntax.h"
#include "text/tokenizer_json/unicode.h"

namespace tenon::text::tokenizer_json {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> Matches(std::string_view pattern, std::string_view text) {
  const auto made = Pattern::Regex(pattern);
  EXPECT_TRUE(made.ok()) << made.error().message;
  std::vector<std::string> out;
  if (!made.ok()) return out;
  Pattern::Walk walk(*made, text);
  for (auto found = walk.Next(); found.ok() && *found; found = walk.Next()) {
    out.emplace_back(text.substr(walk.begin(), walk.end() - walk.begin()));
  }
  return out;
}

// Each as Oniguruma does it, tried with the Python package `tokenizers`.
TEST(Regex, ReadsOnigurumasSyntax) {
  EXPECT_THAT(Matches("\\p{N}{1,3}+", "1234567"), ElementsAre("1234567"));
  EXPECT_THAT(Matches("(?:a|b){2}+c?", "ababac"), ElementsAre("abab"));
  EXPECT_THAT(Matches("a++a|b+", "aaab"), ElementsAre("b"));
  EXPECT_THAT(Matches("a{,2}", "aaaa"), ElementsAre("aa", "aa"));
  EXPECT_THAT(Matches("\\h+", "xyzaf0 \t"), ElementsAre("af0"));
  EXPECT_THAT(Matches("\\v", "a\x0B\nb"), ElementsAre("\x0B"));
  EXPECT_THAT(Matches("\\u0041+", "xAA"), ElementsAre("AA"));
  EXPECT_THAT(Matches("\\x{41}+\\x42", "xAAB"), ElementsAre("AAB"));
  EXPECT_THAT(Matches("a$", "a\nba"), ElementsAre("a", "a"));
  EXPECT_THAT(Matches("^b", "b\nb"), ElementsAre("b", "b"));
  EXPECT_THAT(Matches("\\s", "\xE1\xA0\x8E \xC2\x85"), ElementsAre(" ", "\xC2\x85"));
  EXPECT_THAT(Matches("[\\S]+", "a\xE1\xA0\x8E b"), ElementsAre("a\xE1\xA0\x8E", "b"));
  EXPECT_THAT(Matches("\\w+", "a\xCC\x81 \xC2\xB2-\xE2\x93\x90"),
              ElementsAre("a\xCC\x81", "\xC2\xB2", "\xE2\x93\x90"));
  EXPECT_THAT(Matches("\\ba|a\\b", "aba"), ElementsAre("a", "a"));
  EXPECT_THAT(Matches("(?i:'s)", "'\xC5\xBF"), ElementsAre("'\xC5\xBF"));
  EXPECT_THAT(Matches("[]a]+", "x]a"), ElementsAre("]a"));
  EXPECT_THAT(Matches("{", "a{"), ElementsAre("{"));
}

TEST(Regex, FindsEmptyMatchesOnce) {
  EXPECT_THAT(Matches("(?=[A-Z])", "aBcD"), ElementsAre("", ""));
  EXPECT_THAT(Matches("b*", "abc"), ElementsAre("", "b", ""));
}

TEST(Regex, RefusesWhatItCannotRead) {
  for (const char* pattern :
       {"(?~a)", "(*FAIL)", "(?<name>a)", "(?R)", "[a[b]]", "[a&&b]", "\\G", "\\K", "\\yx", "[\\W]",
        "\\xFF", "(", "a)", "[a", "\\p{Nonsense}", "\\C", "\\"}) {
    EXPECT_FALSE(Pattern::Regex(pattern).ok()) << pattern;
  }
  EXPECT_FALSE(Pattern::Regex(std::string(200, '(') + std::string(200, ')')).ok());
  EXPECT_FALSE(Pattern::Regex(std::string(Pattern::kMaxBytes + 1, 'a')).ok());
  EXPECT_FALSE(Pattern::Regex("").ok());
}

TEST(Unicode, OrdersLongRunsOfMarksAndComposes) {
  std::string marks, ordered = "a";
  for (int i = 0; i < 50'000; ++i) marks += "\xCC\x81\xCC\xA7";  // above, below
  for (int i = 0; i < 50'000; ++i) ordered += "\xCC\xA7";
  for (int i = 0; i < 50'000; ++i) ordered += "\xCC\x81";
  EXPECT_EQ(Normalize("a" + marks, NormalForm::kNfd), ordered);
  EXPECT_EQ(Normalize("xe\xCC\x81y", NormalForm::kNfc), "x\xC3\xA9y");
  EXPECT_EQ(Normalize("\xE1\x84\x92\xE1\x85\xA1\xE1\x86\xAB", NormalForm::kNfc), "\xED\x95\x9C");
  // Beyond the chunks in which it works.
  std::string letters, kana;
  for (int i = 0; i < 9000; ++i) letters += "\xEF\xBD\xB6\xEF\xBE\x9E", kana += "\xE3\x82\xAC";
  EXPECT_EQ(Normalize(letters, NormalForm::kNfkc), kana);
}

}  // namespace
}  // namespace tenon::text::tokenizer_json
