// SPDX-License-Identifier: Apache-2.0
#include "plugins/decoding/ngram/ngram.h"

#include <gtest/gtest.h>

#include <chrono>
#include <random>
#include <vector>

#include "plugins/scheduler/common/made_component.h"

extern "C" const tenon::PluginInfo* tenon_plugin_v1_decoding_ngram();

namespace tenon::decoding {
namespace {

using testing::MadeComponent;
using Tokens = std::vector<int32_t>;

Tokens Propose(const Tokens& tokens, const std::map<std::string, std::string>& options = {},
               size_t room = 16) {
  MadeComponent made(tenon_plugin_v1_decoding_ngram(), "ngram", options);
  SamplingParams params;
  Tokens drafts(room, -1);
  drafts.resize(made.Get<Drafter>()->Propose({{tokens.data(), tokens.size()}, 1, &params},
                                             {drafts.data(), room}));
  return drafts;
}

TEST(NgramDrafter, ProposesWhatFollowedTheNewestTokens) {
  EXPECT_EQ(Propose({1, 2, 3, 4, 5, 6, 7, 1, 2}), (Tokens{3, 4, 5, 6}));
}

TEST(NgramDrafter, PrefersTheLongerMatchAndThenTheLater) {
  EXPECT_EQ(Propose({1, 2, 3, 50, 9, 2, 3, 60, 1, 2, 3}, {{"draft_tokens", "1"}}), (Tokens{50}));
  EXPECT_EQ(Propose({2, 3, 50, 9, 2, 3, 60, 7, 2, 3}, {{"draft_tokens", "1"}}), (Tokens{60}));
}

TEST(NgramDrafter, ProposesNothingBelowMinNgram) {
  const Tokens tokens = {1, 2, 3, 9, 3};
  EXPECT_EQ(Propose(tokens), Tokens{});
  EXPECT_EQ(Propose(tokens, {{"min_ngram", "1"}}), (Tokens{9, 3, 9, 3}));
  EXPECT_EQ(Propose({1, 2, 3, 4}, {{"min_ngram", "1"}}), Tokens{});
}

TEST(NgramDrafter, GoesOnWithALoop) {
  EXPECT_EQ(Propose({7, 7, 7}), (Tokens{7, 7, 7, 7}));
  EXPECT_EQ(Propose({1, 2, 3, 1, 2, 3}, {{"draft_tokens", "7"}}), (Tokens{1, 2, 3, 1, 2, 3, 1}));
}

TEST(NgramDrafter, KeepsToTheRoomGiven) {
  EXPECT_EQ(Propose({1, 2, 3, 4, 5, 6, 7, 1, 2}, {}, 2), (Tokens{3, 4}));
  EXPECT_EQ(Propose({1, 2, 3, 1, 2}, {}, 0), Tokens{});
  EXPECT_EQ(Propose({}), Tokens{});
  EXPECT_EQ(Propose({1}), Tokens{});
}

TEST(NgramDrafter, EqualsAPlainSearch) {
  std::mt19937 random(2);
  for (int round = 0; round < 500; ++round) {
    Tokens tokens(2 + random() % 300);
    for (int32_t& t : tokens) t = static_cast<int32_t>(random() % (2 + round % 7));
    Tokens expected;
    for (size_t n = 4; n >= 2 && expected.empty(); --n) {
      for (size_t at = tokens.size() - 1; at >= n && expected.empty(); --at) {
        if (std::equal(tokens.end() - n, tokens.end(), tokens.begin() + (at - n))) {
          expected = {tokens[at]};
        }
      }
    }
    EXPECT_EQ(Propose(tokens, {{"draft_tokens", "1"}}), expected) << round;
  }
}

TEST(NgramDrafter, IsQuickOnALongTextOfOneToken) {
  // Half of the tokens are the newest one and no match is ever long: the worst there is.
  Tokens tokens;
  for (int i = 0; i < 1000000; ++i) tokens.push_back(i % 2 == 0 ? 5 : 6 + i);
  tokens.push_back(5);
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(Propose(tokens), Tokens{});
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  EXPECT_LT(took.count(), 0.5);
}

TEST(NgramDrafter, RefusesOptionsThatContradict) {
  MadeComponent made(tenon_plugin_v1_decoding_ngram(), "ngram",
                     {{"min_ngram", "5"}, {"max_ngram", "3"}});
  EXPECT_EQ(made.status(), Status::kInvalid);
  EXPECT_EQ(made.failure(), "min_ngram is 5, above max_ngram, which is 3");
}

}  // namespace
}  // namespace tenon::decoding
