// SPDX-License-Identifier: Apache-2.0
#include "apps/compare/statistics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace tenon::apps {
namespace {

std::vector<double> Noise(std::mt19937& random, int count, double mean, double deviation) {
  // Heavier tails than a normal's, as timings have them.
  std::student_t_distribution<double> noise(4);
  std::vector<double> out;
  for (int i = 0; i < count; ++i) out.push_back(mean + deviation * noise(random));
  return out;
}

TEST(MeanOf, FindsNothingInNoiseNineteenTimesInTwenty) {
  for (const int count : {6, 16, 40}) {
    std::mt19937 random(7);
    int found = 0;
    for (int run = 0; run < 400; ++run) {
      found += MeanOf(Noise(random, count, 0, 0.05), 0.05).Found() ? 1 : 0;
    }
    EXPECT_LE(found, 29) << count << " samples";  // 20 expected; 29 has a chance of 3 %
    EXPECT_GE(found, 4) << count << " samples: an interval that never errs finds nothing either";
  }
}

TEST(MeanOf, FindsWhatItSaysItCanFind) {
  std::mt19937 random(11);
  int found = 0;
  for (int run = 0; run < 200; ++run) {
    const std::vector<double> noise = Noise(random, 16, 0, 0.05);
    const double detectable = MeanOf(noise, 0.05).detectable;
    found += MeanOf(Noise(random, 16, detectable, 0.05), 0.05).Found() ? 1 : 0;
  }
  EXPECT_GE(found, 140);  // four in five
  EXPECT_LE(found, 185);
}

TEST(MeanOf, KnowsNothingFromOneSample) {
  EXPECT_FALSE(MeanOf({1.0}, 0.05).Found());
  EXPECT_FALSE(MeanOf({}, 0.05).Found());
  EXPECT_EQ(MeanOf({1.0}, 0.05).value, 1.0);
}

TEST(RatioOf, WeighsClustersByTheirSize) {
  const Estimate ratio = RatioOf({1, 1}, {10, 90}, 0.05);
  EXPECT_DOUBLE_EQ(ratio.value, 0.02);
  EXPECT_LE(ratio.low, 0.02);
  EXPECT_GE(ratio.high, 0.02);
}

TEST(DifferenceOf, FindsNothingBetweenTwoSamplesOfOneNoise) {
  std::mt19937 random(7);
  int found = 0;
  for (int run = 0; run < 400; ++run) {
    const std::vector<double> a = Noise(random, 30, 1, 0.05), b = Noise(random, 12, 1, 0.05);
    found += DifferenceOf(a, b, 0.05).Found() ? 1 : 0;
  }
  EXPECT_LE(found, 29);
  EXPECT_GE(found, 4) << "an interval that never errs finds nothing either";
}

TEST(DifferenceOf, FindsAShift) {
  std::mt19937 random(7);
  const std::vector<double> a = Noise(random, 60, 1.2, 0.05), b = Noise(random, 40, 1, 0.05);
  const Estimate difference = DifferenceOf(a, b, 0.05), ratio = RatioOfMeans(a, b, 0.05);
  EXPECT_GT(difference.low, 0.1);
  EXPECT_LT(difference.high, 0.3);
  EXPECT_GT(ratio.low, 1.1);
  EXPECT_LT(ratio.high, 1.3);
  EXPECT_LT(DifferenceOf(b, a, 0.05).high, -0.1);
}

TEST(DifferenceOf, KnowsNothingFromOneSample) {
  EXPECT_FALSE(DifferenceOf({5}, {1, 1, 1}, 0.05).Found());
  EXPECT_FALSE(DifferenceOf({}, {}, 0.05).Found());
  EXPECT_EQ(RatioOfMeans({6, 6}, {3, 3}, 0.05).value, 2);
}

TEST(ShareOf, StaysBetweenNoneAndAll) {
  const Estimate all = ShareOf(20, 20, 0.05);
  EXPECT_EQ(all.value, 1);
  EXPECT_NEAR(all.low, 0.839, 1e-3);  // Wilson's interval for 20 of 20
  EXPECT_EQ(all.high, 1);
  EXPECT_NEAR(ShareOf(0, 20, 0.05).high, 0.161, 1e-3);
}

TEST(KlDivergence, IsThatOfTheDistributions) {
  const float a[] = {std::log(0.5f), std::log(0.25f), std::log(0.25f)};
  const float b[] = {std::log(0.25f) + 3, std::log(0.5f) + 3, std::log(0.25f) + 3};
  EXPECT_NEAR(KlDivergence(a, b, 3), 0.5 * std::log(2.0) - 0.25 * std::log(2.0), 1e-6);
  EXPECT_EQ(KlDivergence(a, a, 3), 0);
  const float impossible[] = {0, -INFINITY, 0};
  EXPECT_NEAR(KlDivergence(impossible, a, 3), 0.5 * std::log(1.0) + 0.5 * std::log(2.0), 1e-6);
}

TEST(MedianOf, IsTheMiddle) {
  EXPECT_EQ(MedianOf({3, 1, 2}), 2);
  EXPECT_EQ(MedianOf({4, 1, 2, 3}), 2.5);
  EXPECT_EQ(MedianOf({}), 0);
}

}  // namespace
}  // namespace tenon::apps
