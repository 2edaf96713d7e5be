// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/peak.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

namespace tenon::cpu {
namespace {

TEST(Peak, EveryLevelHasLoopsThatDoTheirWork) {
  for (uint32_t level = 0; level < kIsaCount; ++level) {
    if (!IsaLevels()[level].available) continue;
    SCOPED_TRACE(IsaLevels()[level].name);
    const PeakLoops loops = PeakLoopsOf(static_cast<Isa>(level));
    bool f32 = false;
    for (int32_t i = 0; i < loops.count; ++i) {
      f32 = f32 || std::strcmp(loops.loops[i].name, "f32") == 0;
      EXPECT_GT(loops.loops[i].round_ops, 0);
      EXPECT_NE(loops.loops[i].run(1), loops.loops[i].run(1001)) << loops.loops[i].name;
    }
    EXPECT_TRUE(f32);
  }
}

TEST(Peak, ReadsEveryByte) {
  for (uint32_t level = 0; level < kIsaCount; ++level) {
    if (!IsaLevels()[level].available) continue;
    SCOPED_TRACE(IsaLevels()[level].name);
    std::vector<uint64_t> words(512, 0);
    const Isa isa = static_cast<Isa>(level);
    EXPECT_EQ(ReadAll(isa, words.data(), 4096), 0u);
    int seen = 0;
    for (uint64_t& word : words) {
      word = 1;
      seen += ReadAll(isa, words.data(), 4096) != 0 ? 1 : 0;
      word = 0;
    }
    EXPECT_EQ(seen, 512);
  }
}

}  // namespace
}  // namespace tenon::cpu
