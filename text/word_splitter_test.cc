// SPDX-License-Identifier: Apache-2.0
#include "text/word_splitter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "text/testing/vocabularies.h"

namespace tenon::text {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> Words(const WordSplitter& splitter, std::string_view text) {
  std::vector<std::string> words;
  WordSplitter::Walk walk(splitter, text);
  while (true) {
    const auto word = walk.Next();
    if (!word.ok()) return {"failed: " + word.error().message};
    if (word->empty()) return words;
    words.emplace_back(*word);
  }
}

TEST(WordSplitter, CutsAsGpt2Does) {
  const WordSplitter gpt2 = *WordSplitter::ForName("gpt-2");
  EXPECT_THAT(Words(gpt2, "I'm here, we'll see 1234 things"),
              ElementsAre("I", "'m", " here", ",", " we", "'ll", " see", " 1234", " things"));
  EXPECT_THAT(Words(gpt2, "a   b \n c  "), ElementsAre("a", "  ", " b", " \n", " c", "  "));
  EXPECT_THAT(Words(gpt2, "h\u00e9 \u4f60\u597d!?"), ElementsAre("h\u00e9", " \u4f60\u597d", "!?"));
}

TEST(WordSplitter, CutsEachDigitForSmollm) {
  const WordSplitter smollm = *WordSplitter::ForName("smollm");
  EXPECT_THAT(Words(smollm, "1 000 x42"), ElementsAre("1", " ", "0", "0", "0", " x", "4", "2"));
  EXPECT_THAT(Words(smollm, "or   42"), ElementsAre("or", "   ", "4", "2"));
  EXPECT_THAT(Words(smollm, "a  b"), ElementsAre("a", " ", " b"));
  EXPECT_THAT(Words(smollm, "x\u0661\u00b2"), ElementsAre("x", "\u0661", "\u00b2"));
}

TEST(WordSplitter, KeepsWhatIsNotUtf8Apart) {
  const WordSplitter smollm = *WordSplitter::ForName("smollm");
  EXPECT_THAT(Words(smollm, "ab\xFF\xFE cd\xE2\x82"),
              ElementsAre("ab", "\xFF", "\xFE", " cd", "\xE2\x82"));
}

TEST(WordSplitter, CoversTheWholeText) {
  const WordSplitter gpt2 = *WordSplitter::ForName("gpt-2");
  const WordSplitter gaps = *WordSplitter::ForPattern("b+");
  EXPECT_THAT(Words(gaps, "aabbcbd"), ElementsAre("aa", "bb", "c", "b", "d"));
  testing::Random random(3);
  for (int round = 0; round < 200; ++round) {
    const std::string text = random.Text(64, "ab 1'\n\t.\xC3\xA9\xE2\x80\x83\xF0");
    std::string joined;
    for (const std::string& word : Words(round % 2 == 0 ? gpt2 : gaps, text)) joined += word;
    ASSERT_EQ(joined, text);
  }
}

TEST(WordSplitter, RefusesPatternsThatAreNone) {
  const auto made = WordSplitter::ForPattern("(a");
  ASSERT_FALSE(made.ok());
  EXPECT_THAT(made.error().message, ::testing::HasSubstr("pre-tokenizer pattern, at byte 2"));
}

TEST(WordSplitter, StopsAPatternThatExplodes) {
  const WordSplitter bad = *WordSplitter::ForPattern("(?:a+a+)+[xy]");
  EXPECT_THAT(Words(bad, std::string(5000, 'a'))[0],
              ::testing::HasSubstr("failed: splitting text"));
}

}  // namespace
}  // namespace tenon::text
