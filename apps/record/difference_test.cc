// SPDX-License-Identifier: Apache-2.0
#include "apps/record/difference.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tenon::apps::record {
namespace {

RecordedChoice Choice(std::vector<int32_t> tokens, End end) {
  RecordedChoice choice;
  choice.tokens = std::move(tokens);
  choice.end = end;
  if (!choice.tokens.empty()) choice.first_token_us = choice.last_token_us = 1000;
  return choice;
}

TEST(Difference, NamesTheFirstTokenThatDiffers) {
  const auto change =
      FirstDifference(Choice({1, 2, 3, 4}, End::kLength), Choice({1, 2, 9, 4}, End::kLength));
  ASSERT_TRUE(change);
  EXPECT_EQ(change->token, 2u);
  EXPECT_EQ(change->recorded, 3);
  EXPECT_EQ(change->replayed, 9);
}

TEST(Difference, AnEndBeforeTheOtherIsOne) {
  const auto change = FirstDifference(Choice({1, 2}, End::kStop), Choice({1, 2, 3}, End::kLength));
  ASSERT_TRUE(change);
  EXPECT_EQ(change->token, 2u);
  EXPECT_EQ(change->recorded, -1);
  EXPECT_EQ(change->replayed, 3);
}

TEST(Difference, OutcomesByHowBothSidesEnded) {
  const struct {
    RecordedChoice recorded, replayed;
    Outcome outcome;
  } cases[] = {
      {Choice({1, 2}, End::kStop), Choice({1, 2}, End::kStop), Outcome::kIdentical},
      {Choice({1, 2}, End::kStop), Choice({1, 2}, End::kLength), Outcome::kChanged},
      {Choice({1, 2}, End::kStop), Choice({1}, End::kLength), Outcome::kChanged},
      // Cut off on one side: to there.
      {Choice({1, 2}, End::kCancelled), Choice({1, 2, 3}, End::kCancelled), Outcome::kSameSoFar},
      {Choice({1, 2}, End::kCancelled), Choice({1, 3, 3}, End::kCancelled), Outcome::kChanged},
      {Choice({1, 2, 3}, End::kLength), Choice({1, 2}, End::kCancelled), Outcome::kSameSoFar},
      {Choice({1, 2}, End::kBlocked), Choice({1, 2}, End::kBlocked), Outcome::kSameSoFar},
      // Who ended by itself would have said no more.
      {Choice({1, 2, 3}, End::kCancelled), Choice({1, 2}, End::kStop), Outcome::kChanged},
      {Choice({1, 2}, End::kStop), Choice({1, 2, 3}, End::kCancelled), Outcome::kChanged},
      {Choice({}, End::kCancelled), Choice({}, End::kCancelled), Outcome::kIncomparable},
      {Choice({}, End::kError), Choice({1}, End::kStop), Outcome::kIncomparable},
      {Choice({}, End::kError), Choice({}, End::kError), Outcome::kIncomparable},
      {Choice({1}, End::kStop), Choice({}, End::kError), Outcome::kFailed},
      {Choice({1, 2}, End::kStop), Choice({2}, End::kError), Outcome::kChanged},
  };
  for (const auto& one : cases) {
    EXPECT_EQ(OutcomeOf(one.recorded, one.replayed), one.outcome) << &one - cases;
  }
}

TEST(Difference, ARequestIsWhatItsWorstChoiceIs) {
  RecordedRequest request;
  request.request.n = 2;
  request.choices = {Choice({1}, End::kStop), Choice({1, 2}, End::kLength)};
  RecordedRequest unsent = request;
  const std::vector<RecordedRequest> requests = {request, request, unsent};
  ReplayRun run;
  run.requests.resize(3);
  run.requests[0].ended = run.requests[1].ended = true;
  run.requests[0].choices = request.choices;
  run.requests[1].choices = {Choice({1}, End::kStop), Choice({1, 3}, End::kLength)};
  run.requests[1].sent_us = 5000;
  const Differences differences = Compare(requests, run);
  EXPECT_THAT(differences.outcomes,
              ::testing::ElementsAre(Outcome::kIdentical, Outcome::kChanged, Outcome::kUnsent));
  EXPECT_EQ(differences.counts[static_cast<size_t>(Outcome::kChanged)], 1);
  ASSERT_EQ(differences.changes.size(), 1u);
  EXPECT_EQ(differences.changes[0].request, 1u);
  EXPECT_EQ(differences.changes[0].choice, 1);
  EXPECT_EQ(differences.changes[0].token, 1u);
  EXPECT_EQ(differences.first_token.recorded.values.size(), 4u);
  EXPECT_EQ(differences.late.values.back(), 5);
}

TEST(Difference, NamesPluginsThatAreNotWhatTheyWere) {
  EngineIdentity before;
  before.sha256 = "p";
  before.components = {{"device", "cpu", "t.cpu", "1", "/cpu.so", "aa"},
                       {"quant", "native", "t.native", "1", "/native.so", "bb"},
                       {"decoding", "penalties", "t.penalties", "1", "/p.so", "cc"},
                       {"decoding", "sampler", "t.sampler", "1", "/s.so", "dd"}};
  EXPECT_TRUE(PluginChanges(before, before).empty());
  EngineIdentity now = before;
  now.components[0].file = "/elsewhere/cpu.so";  // the same file
  now.components[1] = {"quant", "int8", "t.int8", "1", "/int8.so", "ee"};
  now.components[3].sha256 = "ff";
  const std::vector<PluginChange> changes = PluginChanges(before, now);
  ASSERT_EQ(changes.size(), 2u);
  EXPECT_EQ(changes[0].place, "decoding 2");
  EXPECT_TRUE(changes[0].other_file);
  EXPECT_EQ(changes[1].place, "quant");
  EXPECT_FALSE(changes[1].other_file);
  EXPECT_EQ(changes[1].replayed, "int8, t.int8 1, sha256 ee");
}

}  // namespace
}  // namespace tenon::apps::record
