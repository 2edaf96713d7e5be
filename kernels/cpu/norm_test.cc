// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/norm.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

namespace tenon::cpu {
namespace {

std::vector<float> Random(int64_t count, float spread, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, spread);
  std::vector<float> values(static_cast<size_t>(count));
  for (float& v : values) v = normal(random);
  return values;
}

double Expected(const float* x, int64_t group, int64_t i, const float* weight, double epsilon) {
  double sum = 0;
  for (int64_t k = 0; k < group; ++k) sum += double{x[k]} * x[k];
  return x[i] / std::sqrt(sum / static_cast<double>(group) + epsilon) * weight[i];
}

TEST(RmsNormKernel, MatchesDoubleAtEveryLevelAndLength) {
  for (uint32_t level = 0; level < kIsaCount; ++level) {
    if (!IsaLevels()[level].available) continue;
    for (const int64_t group : {1, 3, 16, 63, 64, 65, 127, 576, 641, 2048}) {
      const int64_t groups = 3;
      const std::vector<float> x = Random(groups * group, 3.0f, 1), weight = Random(group, 1.0f, 2);
      std::vector<float> out(x.size());
      RmsNormOf(static_cast<Isa>(level))(x.data(), groups, group, weight.data(), 1e-6f, out.data());
      for (int64_t i = 0; i < groups * group; ++i) {
        const double want = Expected(&x[i / group * group], group, i % group, weight.data(), 1e-6f);
        EXPECT_NEAR(out[i], want, 6e-7 * std::abs(want))
            << IsaLevels()[level].name << " group " << group << " at " << i;
      }
    }
  }
}

TEST(RmsNormKernel, WorksInPlaceAndOnZeros) {
  for (uint32_t level = 0; level < kIsaCount; ++level) {
    if (!IsaLevels()[level].available) continue;
    const std::vector<float> x = Random(2 * 100, 1.0f, 3), weight = Random(100, 1.0f, 4);
    std::vector<float> out(x.size()), in_place = x, zeros(100, 0.0f);
    const RmsNormFunction norm = RmsNormOf(static_cast<Isa>(level));
    norm(x.data(), 2, 100, weight.data(), 1e-5f, out.data());
    norm(in_place.data(), 2, 100, weight.data(), 1e-5f, in_place.data());
    EXPECT_EQ(in_place, out);
    norm(zeros.data(), 1, 100, weight.data(), 1e-5f, zeros.data());
    EXPECT_EQ(zeros, std::vector<float>(100, 0.0f));
  }
}

// One row in double: z = x (+ y), then Ba et al.'s formula.
std::vector<double> ExpectedLayerNorm(const std::vector<float>& x, const std::vector<float>& y,
                                      const std::vector<float>& weight,
                                      const std::vector<float>& bias, double epsilon) {
  std::vector<double> z(x.begin(), x.end());
  for (size_t i = 0; i < y.size(); ++i) z[i] = double{x[i] + y[i]};
  double mean = 0, variance = 0;
  for (const double v : z) mean += v / static_cast<double>(z.size());
  for (const double v : z) variance += (v - mean) * (v - mean) / static_cast<double>(z.size());
  for (size_t i = 0; i < z.size(); ++i) {
    z[i] = (z[i] - mean) / std::sqrt(variance + epsilon) * weight[i] + bias[i];
  }
  return z;
}

TEST(LayerNormKernel, MatchesDoubleAtEveryLevelAndLength) {
  for (uint32_t level = 0; level < kIsaCount; ++level) {
    if (!IsaLevels()[level].available) continue;
    const LayerNormFunction norm = LayerNormOf(static_cast<Isa>(level));
    for (const int64_t count : {2, 3, 16, 63, 64, 65, 127, 384, 641, 2048}) {
      // Far from 0, where mean(z^2) - mean(z)^2 would have no digits left.
      std::vector<float> x = Random(count, 1.0f, 1);
      for (float& v : x) v += 300.0f;
      const std::vector<float> weight = Random(count, 1.0f, 2), bias = Random(count, 1.0f, 3);
      std::vector<float> out(x.size() + 1, 77.0f);
      norm(x.data(), nullptr, count, weight.data(), bias.data(), 1e-12f, out.data());
      const std::vector<double> want = ExpectedLayerNorm(x, {}, weight, bias, 1e-12f);
      for (size_t i = 0; i < want.size(); ++i) {
        EXPECT_NEAR(out[i], want[i], 1e-4 * (1 + std::abs(weight[i])))
            << IsaLevels()[level].name << " count " << count << " at " << i;
      }
      EXPECT_EQ(out.back(), 77.0f);
    }
  }
}

TEST(LayerNormKernel, AddsASecondRowAlsoInPlace) {
  for (uint32_t level = 0; level < kIsaCount; ++level) {
    if (!IsaLevels()[level].available) continue;
    const LayerNormFunction norm = LayerNormOf(static_cast<Isa>(level));
    for (const int64_t count : {5, 64, 100, 384}) {
      const std::vector<float> x = Random(count, 2.0f, 4), y = Random(count, 2.0f, 5);
      const std::vector<float> weight = Random(count, 1.0f, 6), bias = Random(count, 1.0f, 7);
      std::vector<float> out(x.size()), over_x = x, over_y = y;
      norm(x.data(), y.data(), count, weight.data(), bias.data(), 1e-5f, out.data());
      const std::vector<double> want = ExpectedLayerNorm(x, y, weight, bias, 1e-5f);
      for (size_t i = 0; i < want.size(); ++i) {
        EXPECT_NEAR(out[i], want[i], 2e-6 * (1 + std::abs(want[i]))) << "at " << i;
      }
      norm(over_x.data(), y.data(), count, weight.data(), bias.data(), 1e-5f, over_x.data());
      norm(x.data(), over_y.data(), count, weight.data(), bias.data(), 1e-5f, over_y.data());
      EXPECT_EQ(over_x, out);
      EXPECT_EQ(over_y, out);
    }
  }
}

TEST(LayerNormKernel, GivesTheBiasForARowOfEqualValues) {
  for (uint32_t level = 0; level < kIsaCount; ++level) {
    if (!IsaLevels()[level].available) continue;
    const std::vector<float> x(100, 4.0f), weight(100, 2.0f), bias = Random(100, 1.0f, 8);
    std::vector<float> out(100);
    LayerNormOf(static_cast<Isa>(level))(x.data(), nullptr, 100, weight.data(), bias.data(), 1e-12f,
                                         out.data());
    EXPECT_EQ(out, bias);
  }
}

}  // namespace
}  // namespace tenon::cpu
