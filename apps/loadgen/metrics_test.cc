// SPDX-License-Identifier: Apache-2.0
#include "apps/loadgen/metrics.h"

#include <gtest/gtest.h>

namespace tenon::apps {
namespace {

LoadResult Completed(double start, double first, std::vector<float> gaps, int64_t tokens) {
  LoadResult result;
  result.outcome = LoadOutcome::kCompleted;
  result.start_s = start;
  result.first_s = result.latency_s = first;
  for (const float gap : gaps) result.latency_s += gap;
  result.gaps_s = std::move(gaps);
  result.input_tokens = 10;
  result.output_tokens = tokens;
  return result;
}

LoadResult Failed(const char* kind, const char* message) {
  LoadResult result;
  result.outcome = LoadOutcome::kFailed;
  result.error = kind;
  result.message = message;
  return result;
}

TEST(PercentileOf, InterpolatesBetweenNeighbours) {
  const std::vector<double> values = {1, 2, 3, 4};
  EXPECT_DOUBLE_EQ(PercentileOf(values, 0), 1);
  EXPECT_DOUBLE_EQ(PercentileOf(values, 50), 2.5);
  EXPECT_DOUBLE_EQ(PercentileOf(values, 99), 3.97);
  EXPECT_DOUBLE_EQ(PercentileOf(values, 100), 4);
  EXPECT_DOUBLE_EQ(PercentileOf({7}, 90), 7);
  EXPECT_DOUBLE_EQ(PercentileOf({}, 90), 0);
}

TEST(DistributionOf, SumsUpUnsortedValues) {
  const Distribution of = DistributionOf({4, 2, 9, 5}, {25});
  EXPECT_DOUBLE_EQ(of.mean, 5);
  EXPECT_DOUBLE_EQ(of.median, 4.5);
  EXPECT_DOUBLE_EQ(of.deviation, 2.5495097567963922);
  ASSERT_EQ(of.percentiles.size(), 1u);
  EXPECT_DOUBLE_EQ(of.percentiles[0].second, 3.5);
}

TEST(Measure, AppliesTheFormulas) {
  // Two chunks of two tokens each, and a single token.
  const auto metrics =
      Measure({Completed(0, 0.5, {0.25F}, 4), Completed(1, 0.25, {}, 1)}, 2, {}, {});
  EXPECT_EQ(metrics.completed, 2);
  EXPECT_EQ(metrics.total_input, 20);
  EXPECT_EQ(metrics.total_output, 5);
  EXPECT_DOUBLE_EQ(metrics.request_throughput, 1);
  EXPECT_DOUBLE_EQ(metrics.output_throughput, 2.5);
  EXPECT_DOUBLE_EQ(metrics.total_token_throughput, 12.5);
  EXPECT_DOUBLE_EQ(metrics.ttft.mean, 375);
  EXPECT_DOUBLE_EQ(metrics.e2el.mean, 500);
  ASSERT_EQ(metrics.tpot.values.size(), 1u);  // one token has no time between tokens
  EXPECT_DOUBLE_EQ(metrics.tpot.mean, 250.0 / 3);
  ASSERT_EQ(metrics.itl.values.size(), 1u);
  EXPECT_DOUBLE_EQ(metrics.itl.mean, 250);
  EXPECT_FALSE(metrics.request_goodput.has_value());
}

TEST(Measure, CountsGoodRequestsByEveryLimit) {
  const std::vector<LoadResult> results = {
      Completed(0, 0.1, {0.1F}, 2), Completed(0, 0.3, {0.1F}, 2), Completed(0, 0.1, {0.4F}, 2),
      Completed(0, 0.1, {}, 1), Failed("timeout", "")};
  Goals goals;
  goals.ttft = 200;
  EXPECT_DOUBLE_EQ(*Measure(results, 1, goals, {}).request_goodput, 3);
  goals.tpot = 200;
  EXPECT_DOUBLE_EQ(*Measure(results, 1, goals, {}).request_goodput, 2);
  goals.e2el = 150;
  EXPECT_DOUBLE_EQ(*Measure(results, 1, goals, {}).request_goodput, 1);
}

TEST(Measure, CountsErrorsByKind) {
  LoadResult unsent, interrupted;
  interrupted.outcome = LoadOutcome::kDropped;
  const auto metrics = Measure({Failed("HTTP 429", "full"), Failed("HTTP 429", "full again"),
                                Failed("cut off", "gone"), unsent, interrupted},
                               1, {}, {});
  EXPECT_EQ(metrics.failed, 3);
  EXPECT_EQ(metrics.completed, 0);
  EXPECT_EQ(metrics.unsent, 1);
  EXPECT_EQ(metrics.interrupted, 1);
  EXPECT_EQ(metrics.errors.at("HTTP 429").count, 2);
  EXPECT_EQ(metrics.errors.at("HTTP 429").example, "full");
  EXPECT_EQ(metrics.errors.at("cut off").count, 1);
}

TEST(Measure, FindsThePeakOfConcurrency) {
  // [0, 1), [0.5, 1), [1, 2): the third begins as both end.
  const auto metrics = Measure(
      {Completed(0, 1, {}, 1), Completed(0.5, 0.5, {}, 1), Completed(1, 1, {}, 1)}, 2, {}, {});
  EXPECT_EQ(metrics.max_concurrent_requests, 2);
}

TEST(Measure, SpreadsTokensOverSeconds) {
  const auto metrics = Measure({Completed(0.5, 0.25, {1.0F, 1.0F}, 6)}, 3, {}, {});
  ASSERT_GE(metrics.seconds.size(), 3u);
  EXPECT_DOUBLE_EQ(metrics.seconds[0].output_tokens, 2);
  EXPECT_DOUBLE_EQ(metrics.seconds[2].output_tokens, 2);
  EXPECT_DOUBLE_EQ(metrics.max_output_tokens_per_s, 2);
  EXPECT_NEAR(metrics.seconds[0].running, 0.5, 1e-6);
  EXPECT_NEAR(metrics.seconds[1].running, 1, 1e-6);
  EXPECT_NEAR(metrics.seconds[2].running, 0.75, 1e-6);
}

TEST(Measure, BearsARunOfNothing) {
  const auto metrics = Measure({}, 0, {}, {50});
  EXPECT_EQ(metrics.request_throughput, 0);
  EXPECT_EQ(metrics.ttft.percentiles[0].second, 0);
}

}  // namespace
}  // namespace tenon::apps
