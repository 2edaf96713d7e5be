// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/maxima.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "kernels/cpu/random_weights.h"

namespace tenon::cpu {
namespace {

TEST(BlockMaxima, FindsTheLargestOfEachBlockAndPassesOverNan) {
  for (uint32_t level = 0; level < kIsaCount; ++level) {
    if (!IsaLevels()[level].available) continue;
    SCOPED_TRACE(IsaLevels()[level].name);
    // Every place of a block in turn holds the largest, with a NaN before or behind it.
    for (const int64_t count : {1, 5, 127, 128, 129, 300, 512}) {
      for (int64_t at = 0; at < count; ++at) {
        std::vector<float> x = RandomFloats(count, 3);
        x[static_cast<size_t>(at)] = 50;
        if (at > 0) x[static_cast<size_t>(at - 1)] = NAN;
        if (at + 1 < count) x[static_cast<size_t>(at + 1)] = NAN;
        const int64_t blocks = (count + kMaximaBlock - 1) / kMaximaBlock;
        std::vector<float> found(static_cast<size_t>(blocks) + 1, 7.0f);
        BlockMaxima(IsaLevels()[level].isa, x.data(), count, found.data());
        EXPECT_EQ(found.back(), 7.0f) << "written past the last block";
        for (int64_t b = 0; b < blocks; ++b) {
          float most = -INFINITY;
          for (int64_t i = b * kMaximaBlock; i < std::min(count, (b + 1) * kMaximaBlock); ++i) {
            most = std::fmax(most, x[static_cast<size_t>(i)]);
          }
          ASSERT_EQ(found[static_cast<size_t>(b)], most) << "block " << b << " of " << count;
        }
      }
    }
  }
}

TEST(BlockMaxima, IsMinusInfinityWhereNothingElseStands) {
  for (uint32_t level = 0; level < kIsaCount; ++level) {
    if (!IsaLevels()[level].available) continue;
    std::vector<float> x(260, NAN);
    x[130] = -INFINITY;
    float found[3];
    BlockMaxima(IsaLevels()[level].isa, x.data(), 260, found);
    for (const float most : found) EXPECT_EQ(most, -INFINITY) << IsaLevels()[level].name;
  }
}

}  // namespace
}  // namespace tenon::cpu
