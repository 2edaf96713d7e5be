// SPDX-License-Identifier: Apache-2.0
#include "apps/link/routing.h"

#include <gtest/gtest.h>

#include <numeric>

namespace tenon::apps::link {
namespace {

std::vector<int32_t> Tokens(int32_t first, size_t count) {
  std::vector<int32_t> tokens(count);
  std::iota(tokens.begin(), tokens.end(), first);
  return tokens;
}

TEST(Router, TheLeastBusyGetsWhatNobodyKnows) {
  Router router(4);
  EXPECT_EQ(router.Pick(Tokens(0, 8), 0, std::vector<EngineLoad>{{true, 9}, {true, 5}, {true, 7}}),
            1);
  EXPECT_EQ(
      router.Pick(Tokens(50, 8), 0, std::vector<EngineLoad>{{true, 9}, {false, 0}, {true, 7}}), 2);
  EXPECT_EQ(router.Pick(Tokens(90, 8), 0, std::vector<EngineLoad>{{false, 0}, {false, 0}}), -1);
}

TEST(Router, APromptGoesWhereItsBeginningWent) {
  Router router(4);
  const std::vector<EngineLoad> first = {{true, 1}, {true, 0}};
  ASSERT_EQ(router.Pick(Tokens(0, 8), 0, first), 1);
  std::vector<int32_t> longer = Tokens(0, 8);
  longer.insert(longer.end(), {900, 901, 902, 903, 904});
  const std::vector<EngineLoad> then = {{true, 0}, {true, 100}};
  EXPECT_EQ(router.Pick(longer, 0, then), 1);
  // Less than a block in common is nothing, nor is anything under another salt.
  EXPECT_EQ(router.Pick({{0, 1, 2, 7}}, 0, then), 0);
  EXPECT_EQ(router.Pick(longer, 5, then), 0);
}

TEST(Router, TheLongestKnownBeginningWins) {
  Router router(2);
  ASSERT_EQ(router.Pick(Tokens(0, 2), 0, std::vector<EngineLoad>{{true, 0}, {true, 1}}), 0);
  std::vector<int32_t> both = Tokens(0, 6);
  // Sent elsewhere once, since the first was busy.
  ASSERT_EQ(router.Pick(both, 0, std::vector<EngineLoad>{{true, 100000}, {true, 1}}), 1);
  EXPECT_EQ(router.Pick(both, 0, std::vector<EngineLoad>{{true, 0}, {true, 1}}), 1);
}

TEST(Router, AnEngineWithMuchMoreToDoIsLeft) {
  Router router(4);
  ASSERT_EQ(router.Pick(Tokens(0, 8), 0, std::vector<EngineLoad>{{true, 0}, {true, 1}}), 0);
  EXPECT_EQ(router.Pick(Tokens(0, 8), 0, std::vector<EngineLoad>{{true, 3000}, {true, 0}}), 0);
  EXPECT_EQ(router.Pick(Tokens(0, 8), 0, std::vector<EngineLoad>{{true, 50000}, {true, 0}}), 1);
}

TEST(Router, ALostEngineIsPassedOver) {
  Router router(4);
  ASSERT_EQ(router.Pick(Tokens(0, 8), 0, std::vector<EngineLoad>{{true, 0}, {true, 1}}), 0);
  EXPECT_EQ(router.Pick(Tokens(0, 8), 0, std::vector<EngineLoad>{{false, 0}, {true, 1}}), 1);
}

}  // namespace
}  // namespace tenon::apps::link
