// SPDX-License-Identifier: Apache-2.0
#include "text/special_tokens.h"

#include <gtest/gtest.h>

#include "text/testing/vocabularies.h"

namespace tenon::text {
namespace {

TEST(SpecialTokens, FindsTheLeftmostAndThenTheLongest) {
  const SpecialTokens tokens({{"ab", 1}, {"abcd", 2}, {"bcdefg", 3}, {"d", 4}, {"abc", 5}});
  auto match = tokens.Find("xxabcdefg", 0);
  EXPECT_EQ(match.begin, 2u);
  EXPECT_EQ(match.bytes, 4u);
  EXPECT_EQ(match.id, 2);
  match = tokens.Find("xxabcdefg", 3);
  EXPECT_EQ(match.begin, 3u);
  EXPECT_EQ(match.id, 3);
  match = tokens.Find("abce", 0);
  EXPECT_EQ(match.id, 5);
  match = tokens.Find("abx", 1);
  EXPECT_EQ(match.begin, 3u);
  EXPECT_EQ(match.id, -1);
}

TEST(SpecialTokens, OfNoneFindsNothing) {
  EXPECT_EQ(SpecialTokens().Find("anything", 0).id, -1);
  EXPECT_EQ(SpecialTokens({{"", 3}}).Find("anything", 0).id, -1);
}

TEST(SpecialTokens, AgreesWithLookingForEachInTurn) {
  testing::Random random(2);
  for (int round = 0; round < 200; ++round) {
    std::vector<std::pair<std::string, int32_t>> list;
    for (int32_t id = 0; id < 12; ++id)
      list.emplace_back(random.Text(1 + random.Below(5), "ab\xFF"), id);
    const SpecialTokens tokens(list);
    const std::string text = random.Text(40, "ab\xFFz");
    for (size_t from = 0; from <= text.size(); ++from) {
      SpecialTokens::Match wanted{text.size(), 0, -1};
      for (const auto& [token, id] : list) {
        const size_t at = text.find(token, from);
        if (at == std::string::npos) continue;
        const bool longer = at == wanted.begin && token.size() > wanted.bytes;
        if (at < wanted.begin || longer) wanted = {at, token.size(), id};
      }
      const auto match = tokens.Find(text, from);
      ASSERT_EQ(match.begin, wanted.begin);
      ASSERT_EQ(match.bytes, wanted.bytes);
      ASSERT_EQ(match.id, wanted.id);
    }
  }
}

}  // namespace
}  // namespace tenon::text
