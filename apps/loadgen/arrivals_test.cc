// SPDX-License-Identifier: Apache-2.0
#include "apps/loadgen/arrivals.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace tenon::apps {
namespace {

constexpr double kInfinite = std::numeric_limits<double>::infinity();

// Standard deviation of the intervals over their mean.
double Spread(const std::vector<double>& times) {
  const auto count = static_cast<double>(times.size() - 1);
  const double mean = times.back() / count;
  double squares = 0;
  for (size_t i = 1; i < times.size(); ++i) squares += std::pow(times[i] - times[i - 1] - mean, 2);
  return std::sqrt(squares / count) / mean;
}

TEST(ArrivalTimes, AscendFromNothingToCountOverRate) {
  const auto times = ArrivalTimes(1000, 50, 1, 7);
  ASSERT_EQ(times.size(), 1000u);
  EXPECT_EQ(times.front(), 0);
  EXPECT_TRUE(std::is_sorted(times.begin(), times.end()));
  EXPECT_LE(times.back(), 20);
  EXPECT_GT(times.back(), 19);
}

TEST(ArrivalTimes, SpreadAsBurstinessSays) {
  // A gamma distribution's deviation is mean / √shape.
  EXPECT_NEAR(Spread(ArrivalTimes(20000, 10, 1, 1)), 1, 0.05);
  EXPECT_NEAR(Spread(ArrivalTimes(20000, 10, 0.25, 1)), 2, 0.15);
  EXPECT_NEAR(Spread(ArrivalTimes(20000, 10, 16, 1)), 0.25, 0.02);
  EXPECT_NEAR(Spread(ArrivalTimes(20000, 10, kInfinite, 1)), 0, 1e-6);
}

TEST(ArrivalTimes, AreTheSameForTheSameSeed) {
  EXPECT_EQ(ArrivalTimes(50, 3, 1, 9), ArrivalTimes(50, 3, 1, 9));
  EXPECT_NE(ArrivalTimes(50, 3, 1, 9), ArrivalTimes(50, 3, 1, 10));
}

TEST(ArrivalTimes, ComeAtOnceWithoutARate) {
  EXPECT_EQ(ArrivalTimes(3, kInfinite, 1, 0), std::vector<double>(3, 0.0));
  EXPECT_TRUE(ArrivalTimes(0, 1, 1, 0).empty());
}

}  // namespace
}  // namespace tenon::apps
