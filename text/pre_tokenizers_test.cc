// SPDX-License-Identifier: Apache-2.0
#include "text/pre_tokenizers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "text/testing/long_texts.h"
#include "text/testing/vocabularies.h"
#include "text/word_splitter.h"

namespace tenon::text {
namespace {

std::vector<size_t> Lengths(const WordSplitter& splitter, std::string_view text) {
  std::vector<size_t> lengths;
  WordSplitter::Walk walk(splitter, text);
  while (true) {
    const auto word = walk.Next();
    if (!word.ok()) {
      ADD_FAILURE() << word.error().message;
      return {};
    }
    if (word->empty()) return lengths;
    lengths.push_back(word->size());
  }
}

nlohmann::json Reference() {
  return nlohmann::json::parse(
      testing::ReadFile(std::string(TENON_SOURCE_DIR) + "/tests/data/pre_tokenizers.json"));
}

// tests/data/pre_tokenizers.py: another implementation, with another engine of regular expressions.
TEST(PreTokenizers, CutAsTheReferenceDoes) {
  const nlohmann::json reference = Reference();
  std::set<std::string> seen;
  for (const auto& rule : reference["rules"]) {
    for (const std::string name : rule["names"]) {
      const auto splitter = WordSplitter::ForName(name);
      ASSERT_TRUE(splitter.ok()) << splitter.error().message;
      EXPECT_TRUE(seen.insert(name).second) << name;
      for (size_t i = 0; i < reference["texts"].size(); ++i) {
        const std::string text = reference["texts"][i];
        EXPECT_EQ(Lengths(*splitter, text), rule["words"][i].get<std::vector<size_t>>())
            << name << ": " << text;
      }
    }
  }
  for (const PreTokenizer& known : PreTokenizers()) {
    EXPECT_TRUE(seen.contains(std::string(known.name))) << known.name << " has no reference";
  }
}

TEST(PreTokenizers, AreSortedByNameAndAllDifferent) {
  const auto known = PreTokenizers();
  EXPECT_TRUE(std::adjacent_find(known.begin(), known.end(), [](const auto& a, const auto& b) {
                return a.name >= b.name;
              }) == known.end());
}

TEST(PreTokenizers, KnowWhatTheirFamiliesAskFor) {
  const PreTokenizer* llama3 = FindPreTokenizer("llama-bpe");
  ASSERT_NE(llama3, nullptr);
  EXPECT_TRUE(llama3->ignore_merges);
  EXPECT_TRUE(llama3->add_bos);
  EXPECT_TRUE(FindPreTokenizer("tekken")->ignore_merges);
  EXPECT_FALSE(FindPreTokenizer("qwen2")->ignore_merges);
  EXPECT_FALSE(FindPreTokenizer("gpt-4o")->add_bos);
  EXPECT_TRUE(FindPreTokenizer("chameleon")->add_bos);
  EXPECT_EQ(FindPreTokenizer(""), nullptr);
  EXPECT_EQ(FindPreTokenizer("llama4-next"), nullptr);
}

TEST(PreTokenizers, AreNamedWhereOneIsUnknown) {
  const auto refused = WordSplitter::ForName("gpt-9");
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().status, Status::kUnsupported);
  for (const char* name : {"gpt-9", "llama-bpe", "qwen2", "tekken", "gpt-4o", "deepseek-v3"}) {
    EXPECT_THAT(refused.error().message, ::testing::HasSubstr(name));
  }
}

// No expression may need more stack, or more tries, the longer a run is.
TEST(PreTokenizers, TakeLongRunsOfEveryKindOnASmallStack) {
  const auto work = [](void*) {
    const auto reference = Reference();
    for (const auto& rule : reference["rules"]) {
      const auto splitter = WordSplitter::ForName(rule["names"][0].get<std::string>());
      ASSERT_TRUE(splitter.ok());
      for (const testing::LongText& kind : testing::LongTexts()) {
        const std::string text = testing::Make(kind, size_t{1} << 17);
        const auto lengths = Lengths(*splitter, text);
        size_t total = 0;
        for (const size_t length : lengths) total += length;
        EXPECT_EQ(total, text.size()) << rule["names"][0] << " " << kind.name;
      }
    }
  };
  testing::OnSmallStack(work, nullptr);
}

}  // namespace
}  // namespace tenon::text
