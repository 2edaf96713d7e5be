// SPDX-License-Identifier: Apache-2.0
#include "apps/compare/verdict.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace tenon::apps {
namespace {

using ::testing::HasSubstr;

SpeedRow Row(const char* name, double gain, double half) {
  SpeedRow row{name, "ms", 10, 10 / gain, {}, {}, {}};
  row.gain = {std::log(gain), std::log(gain) - half, std::log(gain) + half, 0.031, 12};
  return row;
}

Comparison Same() {
  Comparison out;
  out.speed = {Row("whole request", 1.001, 0.02), Row("time to first token", 0.999, 0.02)};
  out.quality.emplace();
  out.quality->positions = 500;
  out.quality->identical = {1, 0.9, 1, 0, 12};
  out.quality->same_top = {1, 1, 1, 0, 12};
  return out;
}

TEST(Verdict, SaysHowSmallADifferenceWouldHaveBeenFound) {
  const Verdict verdict = Judge(Same(), {});
  EXPECT_TRUE(verdict.passed);
  EXPECT_FALSE(verdict.difference);
  EXPECT_THAT(verdict.text, HasSubstr("no difference found; one of 3.1 % would have been"));
  EXPECT_THAT(verdict.text, HasSubstr("the same bits at all 500 positions"));
}

TEST(Verdict, NamesWhatBecameSlower) {
  Comparison comparison = Same();
  comparison.speed[0] = Row("whole request", 0.9, 0.02);
  const Verdict verdict =
      Judge(comparison, {.max_kl = {}, .max_ppl_increase = {}, .min_speedup = 0.95});
  EXPECT_TRUE(verdict.difference);
  EXPECT_FALSE(verdict.passed);
  EXPECT_THAT(verdict.text, HasSubstr("whole request: B is slower by a factor of 0.900"));
  ASSERT_EQ(verdict.failures.size(), 1u);
  EXPECT_EQ(verdict.failures[0], "B is 0.900 times as fast as A; at least 0.950 asked for");
}

TEST(Verdict, HoldsQualityToItsThresholds) {
  Comparison comparison = Same();
  comparison.quality->kl = {0.004, 0.003, 0.005, 0, 12};
  comparison.quality->largest_kl = 0.1;
  comparison.quality->nll_change = {0.02, 0.01, 0.03, 0, 12};
  EXPECT_TRUE(Judge(comparison, {.max_kl = 0.01, .max_ppl_increase = 3, .min_speedup = {}}).passed);
  const Verdict verdict =
      Judge(comparison, {.max_kl = 0.001, .max_ppl_increase = 1, .min_speedup = {}});
  EXPECT_FALSE(verdict.passed);
  EXPECT_TRUE(verdict.difference);
  ASSERT_EQ(verdict.failures.size(), 2u);
  EXPECT_THAT(verdict.failures[0], HasSubstr("KL is 0.004 nats a position; at most 0.001 allowed"));
  EXPECT_THAT(verdict.failures[1], HasSubstr("perplexity is +2.020 %"));
}

TEST(Verdict, FailsWhatCannotBeCompared) {
  Comparison comparison = Same();
  comparison.quality.reset();
  EXPECT_TRUE(Judge(comparison, {}).passed);
  const Verdict verdict =
      Judge(comparison, {.max_kl = 1, .max_ppl_increase = {}, .min_speedup = {}});
  EXPECT_FALSE(verdict.passed);
  EXPECT_THAT(verdict.failures.at(0), HasSubstr("share no vocabulary"));
}

TEST(Verdict, FailsOnNumbersThatAreNone) {
  Comparison comparison = Same();
  comparison.quality->kl.value = NAN;
  comparison.speed[0].gain.value = NAN;
  EXPECT_EQ(
      Judge(comparison, {.max_kl = 1, .max_ppl_increase = {}, .min_speedup = 0.1}).failures.size(),
      2u);
}

}  // namespace
}  // namespace tenon::apps
