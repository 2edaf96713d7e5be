// SPDX-License-Identifier: Apache-2.0
#include "apps/trial/trial_statistics.h"

#include <gtest/gtest.h>

#include <random>

#include "apps/trial/trial.h"
#include "nlohmann/json.hpp"

namespace tenon::apps::trial {
namespace {

RunRecord Done(double first_token_s, double per_token_s, int64_t tokens = 10) {
  RunRecord record;
  record.first_token_s = first_token_s;
  record.per_token_s = per_token_s;
  record.output_tokens = tokens;
  return record;
}

void Add(TrialStatistics& statistics, Arm arm, const RunRecord& record) {
  statistics.Begin(arm);
  statistics.End(arm, record);
}

TEST(TrialStatistics, CountsEndsByTheirKind) {
  TrialStatistics statistics(false);
  Add(statistics, Arm::kB, Done(1, 0.1));
  Add(statistics, Arm::kB, {.end = RunEnd::kFailed, .error = "broken"});
  Add(statistics, Arm::kB, {.end = RunEnd::kRefused, .error = "odd"});
  Add(statistics, Arm::kB, {.end = RunEnd::kCancelled, .error = {}});
  statistics.Begin(Arm::kB);
  const ArmCounts counts = statistics.Counts(Arm::kB);
  EXPECT_EQ(counts.begun, 5);
  EXPECT_EQ(counts.done, 1);
  EXPECT_EQ(counts.failed, 1);
  EXPECT_EQ(counts.refused, 1);
  EXPECT_EQ(counts.cancelled, 1);
  EXPECT_EQ(counts.last_error, "broken");
  EXPECT_EQ(counts.output_tokens, 10);
  EXPECT_EQ(statistics.Counts(Arm::kA).begun, 0);
}

TEST(TrialStatistics, TellsMeansAndQuantiles) {
  TrialStatistics statistics(false);
  for (int i = 1; i <= 100; ++i) Add(statistics, Arm::kA, Done(i, 0));
  const Spread spread = statistics.Sum(0.05).a.first_token;
  EXPECT_EQ(spread.count, 100);
  EXPECT_DOUBLE_EQ(spread.mean, 50.5);
  EXPECT_DOUBLE_EQ(spread.p50, 50.5);
  EXPECT_DOUBLE_EQ(spread.p99, 100);
  EXPECT_EQ(statistics.Sum(0.05).a.per_token.count, 0);
}

TEST(TrialStatistics, FindsASlowArmAmongIndependentRequests) {
  std::mt19937 random(3);
  std::uniform_real_distribution<double> noise(0.8, 1.2);
  TrialStatistics statistics(false);
  for (int i = 0; i < 300; ++i) Add(statistics, Arm::kA, Done(noise(random), noise(random)));
  for (int i = 0; i < 60; ++i) Add(statistics, Arm::kB, Done(1.5 * noise(random), noise(random)));
  EXPECT_EQ(statistics.Samples(), 60);
  const Summary sum = statistics.Sum(0.05);
  EXPECT_GT(sum.first_token.relative.low, 0.4);
  EXPECT_LT(sum.first_token.relative.high, 0.6);
  EXPECT_GT(sum.first_token.seconds.low, 0.4);
  EXPECT_FALSE(sum.per_token.seconds.Found());
}

TEST(TrialStatistics, ComparesPairsRequestByRequest) {
  std::mt19937 random(3);
  std::uniform_real_distribution<double> length(0.1, 10);
  TrialStatistics statistics(true);
  // Of requests so different only pairs show a tenth.
  for (int i = 0; i < 40; ++i) {
    const double seconds = length(random);
    statistics.Compare(Done(seconds, 1), Done(1.1 * seconds, 1), i % 4 == 0 ? i : -1);
  }
  const Summary sum = statistics.Sum(0.05);
  EXPECT_NEAR(sum.first_token.relative.low, 0.1, 1e-6);
  EXPECT_NEAR(sum.first_token.relative.high, 0.1, 1e-6);
  EXPECT_EQ(sum.outputs.compared, 40);
  EXPECT_EQ(sum.outputs.identical, 30);
  EXPECT_NEAR(sum.outputs.identical_share.value, 0.75, 1e-9);
  EXPECT_EQ(sum.outputs.first_difference_median, 18);
  EXPECT_EQ(sum.outputs.first_difference[0], 1);  // token 0
  EXPECT_EQ(sum.outputs.first_difference[3], 1);  // token 4, of 4 to 7
  EXPECT_EQ(sum.outputs.first_difference[5], 4);  // 16, 20, 24, 28
}

TEST(Reservoir, KeepsAFairSampleOfBoundedSize) {
  Reservoir<int, 100> reservoir;
  for (int i = 0; i < 100000; ++i) reservoir.Add(i);
  ASSERT_EQ(reservoir.values().size(), 100u);
  int late = 0;
  for (const int value : reservoir.values()) late += value >= 50000 ? 1 : 0;
  EXPECT_GT(late, 30);  // 50 expected, deviation 5
  EXPECT_LT(late, 70);
}

TEST(TrialJson, TellsWhatIsKnownAndNullForTheRest) {
  TrialStatistics statistics(true);
  TrialReport report{.pipeline_a = "a.yaml",
                     .pipeline_b = "b.yaml",
                     .options = {},
                     .reason = {},
                     .summary = statistics.Sum(0.05)};
  report.options.shadow = true;
  auto json = nlohmann::json::parse(TrialJson(report));
  EXPECT_EQ(json["status"], "loading");
  EXPECT_EQ(json["ttft"]["increase"], nullptr);
  EXPECT_EQ(json["outputs"]["identical_share"], nullptr);
  statistics.Compare(Done(1, 1), Done(2, 1), -1);
  report.summary = statistics.Sum(0.05);
  json = nlohmann::json::parse(TrialJson(report));
  EXPECT_EQ(json["ttft"]["increase"]["value"], 1.0);
  EXPECT_EQ(json["ttft"]["increase"]["low"], nullptr) << "of one sample";
  EXPECT_EQ(json["outputs"]["identical"], 1);
}

}  // namespace
}  // namespace tenon::apps::trial
