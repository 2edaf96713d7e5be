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

}  // namespace
}  // namespace tenon::cpu
