// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/rope.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

namespace tenon::cpu {
namespace {

std::vector<float> InverseFrequencies(int64_t pairs, double base) {
  std::vector<float> out;
  for (int64_t i = 0; i < pairs; ++i) {
    out.push_back(static_cast<float>(std::pow(base, -static_cast<double>(i) / pairs)));
  }
  return out;
}

TEST(RopeKernel, AnglesAreRightToTheLastBitUpToTheLargestPosition) {
  for (uint32_t level = 0; level < kIsaCount; ++level) {
    if (!IsaLevels()[level].available) continue;
    const RopeFunctions& rope = RopeOf(static_cast<Isa>(level));
    for (const int64_t pairs : {1, 5, 32, 128}) {
      const std::vector<float> frequency = InverseFrequencies(pairs, 1e4);
      std::vector<float> c(pairs), s(pairs);
      for (const int32_t position :
           {0, 1, 17, 4095, 1000000, 123456789, -7, std::numeric_limits<int32_t>::max()}) {
        rope.angles(frequency.data(), pairs, position, 1.25f, c.data(), s.data());
        for (int64_t i = 0; i < pairs; ++i) {
          const double angle = double{frequency[i]} * position;
          EXPECT_NEAR(c[i], 1.25 * std::cos(angle), 8e-8 * std::abs(1.25 * std::cos(angle)) + 1e-10)
              << IsaLevels()[level].name << " position " << position << " pair " << i;
          EXPECT_NEAR(s[i], 1.25 * std::sin(angle),
                      8e-8 * std::abs(1.25 * std::sin(angle)) + 1e-10);
        }
      }
    }
  }
}

TEST(RopeKernel, RotatesBothPairingsAndLeavesTheRestAlone) {
  for (uint32_t level = 0; level < kIsaCount; ++level) {
    if (!IsaLevels()[level].available) continue;
    const RopeFunctions& rope = RopeOf(static_cast<Isa>(level));
    for (const int64_t pairs : {1, 3, 8, 16, 20, 32, 40}) {
      const int64_t heads = 3, head_dim = 2 * pairs + 6;
      const std::vector<float> frequency = InverseFrequencies(pairs, 500.0);
      std::vector<float> c(pairs), s(pairs), x(heads * head_dim);
      rope.angles(frequency.data(), pairs, 91, 1.0f, c.data(), s.data());
      std::mt19937 random(5);
      for (float& v : x) v = std::normal_distribution<float>()(random);
      for (const bool halves : {true, false}) {
        std::vector<float> got = x;
        (halves ? rope.halves : rope.neighbours)(got.data(), heads, head_dim, pairs, c.data(),
                                                 s.data());
        for (int64_t h = 0; h < heads; ++h) {
          const float* in = &x[h * head_dim];
          const float* out = &got[h * head_dim];
          for (int64_t i = 0; i < pairs; ++i) {
            const int64_t ia = halves ? i : 2 * i, ib = halves ? i + pairs : 2 * i + 1;
            const double angle = double{frequency[i]} * 91;
            const double size = std::hypot(in[ia], in[ib]) * 3e-7;
            EXPECT_NEAR(out[ia], in[ia] * std::cos(angle) - in[ib] * std::sin(angle), size);
            EXPECT_NEAR(out[ib], in[ib] * std::cos(angle) + in[ia] * std::sin(angle), size);
          }
          for (int64_t i = 2 * pairs; i < head_dim; ++i) EXPECT_EQ(out[i], in[i]);
        }
      }
    }
  }
}

}  // namespace
}  // namespace tenon::cpu
