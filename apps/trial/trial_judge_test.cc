// SPDX-License-Identifier: Apache-2.0
#include "apps/trial/trial_judge.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

namespace tenon::apps::trial {
namespace {

using ::testing::HasSubstr;

// What the judge says over the first `requests` of each arm, whose times are b's over 1 s.
std::string Watch(const TrialLimits& limits, double b, int requests, uint32_t seed) {
  std::mt19937 random(seed);
  std::lognormal_distribution<double> noise(0, 0.3);
  TrialStatistics statistics(false);
  TrialJudge judge(limits);
  for (int i = 0; i < requests; ++i) {
    RunRecord record;
    record.first_token_s = noise(random);
    statistics.End(Arm::kA, record);
    record.first_token_s = b * noise(random);
    statistics.End(Arm::kB, record);
    if (!judge.Due(statistics.Samples())) continue;
    if (std::string why = judge.Judge(statistics.Sum(judge.Alpha())); !why.empty()) return why;
  }
  return "";
}

TEST(TrialJudge, CountsOnlyBsOwnErrors) {
  const TrialJudge judge(
      {.max_errors = 1, .max_ttft_increase = {}, .max_tpot_increase = {}, .min_identical = {}});
  ArmCounts counts;
  counts.begun = 50;
  counts.refused = 40;
  counts.failed = 1;
  EXPECT_EQ(judge.JudgeErrors(counts), "");
  counts.failed = 2;
  counts.last_error = "lost";
  EXPECT_THAT(judge.JudgeErrors(counts),
              HasSubstr("2 of 50 requests failed, the last with \"lost\""));
}

TEST(TrialJudge, LooksOnlyWhenThereIsEnoughAndThenMoreRarely) {
  TrialLimits limits;
  limits.min_requests = 20;
  EXPECT_FALSE(TrialJudge(limits).Due(1000)) << "there is no limit to judge by";
  limits.max_tpot_increase = 0.5;
  TrialJudge judge(limits);
  EXPECT_FALSE(judge.Due(19));
  EXPECT_TRUE(judge.Due(20));
  const double first = judge.Alpha();
  EXPECT_EQ(judge.Judge({}), "");
  EXPECT_FALSE(judge.Due(29));
  EXPECT_TRUE(judge.Due(30));
  EXPECT_DOUBLE_EQ(judge.Alpha(), first / 4);
}

TEST(TrialJudge, RollsBackWhatIsSlowerThanAllowed) {
  TrialLimits limits;
  limits.min_requests = 20;
  limits.max_ttft_increase = 0.2;
  EXPECT_THAT(Watch(limits, 2.0, 200, 1), HasSubstr("time to first token is longer by"));
  EXPECT_EQ(Watch(limits, 2.0, 19, 1), "") << "judged by too little";
  limits.max_ttft_increase = std::nullopt;
  limits.max_tpot_increase = 0.2;
  EXPECT_EQ(Watch(limits, 2.0, 200, 1), "") << "of a time that has no limit";
}

TEST(TrialJudge, KeepsWhatIsAtTheLimitInNearlyAllTrials) {
  TrialLimits limits;
  limits.min_requests = 20;
  limits.max_ttft_increase = 0.2;
  int rolled_back = 0;
  for (uint32_t trial = 0; trial < 30; ++trial) {
    rolled_back += Watch(limits, 1.2, 150, trial).empty() ? 0 : 1;
  }
  EXPECT_LE(rolled_back, 4);  // 0.75 expected at most
}

TEST(TrialJudge, WantsIdenticalOutputs) {
  TrialLimits limits;
  limits.min_identical = 0.9;
  TrialStatistics statistics(true);
  TrialJudge judge(limits);
  for (int i = 0; i < 100; ++i) statistics.Compare({}, {}, i % 10 == 0 ? 3 : -1);
  EXPECT_EQ(judge.Judge(statistics.Sum(judge.Alpha())), "");
  for (int i = 0; i < 100; ++i) statistics.Compare({}, {}, i % 2 == 0 ? 3 : -1);
  EXPECT_THAT(judge.Judge(statistics.Sum(judge.Alpha())),
              HasSubstr("70.0 % of outputs are identical"));
}

}  // namespace
}  // namespace tenon::apps::trial
