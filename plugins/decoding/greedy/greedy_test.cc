// SPDX-License-Identifier: Apache-2.0
#include "plugins/decoding/greedy/greedy.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "plugins/decoding/common/arg_max.h"
#include "plugins/scheduler/common/made_component.h"

extern "C" const tenon::PluginInfo* tenon_plugin_v1_decoding_greedy();

namespace tenon::decoding {
namespace {

TEST(ArgMax, FindsTheLowestOfTheLargestWhereverItStands) {
  std::mt19937 random(1);
  for (size_t size = 1; size < 200; ++size) {
    std::vector<float> logits(size);
    for (float& x : logits) x = -1.0f - random() % 100;
    const size_t first = random() % size;
    logits[first] = 0;
    logits[first + random() % (size - first)] = 0;
    EXPECT_EQ(ArgMax({logits.data(), size}), static_cast<int32_t>(first));
  }
}

TEST(ArgMax, PassesOverNan) {
  const std::vector<float> logits = {NAN, -3, NAN, -2, NAN};
  EXPECT_EQ(ArgMax({logits.data(), logits.size()}), 3);
  const std::vector<float> nothing = {NAN, -INFINITY};
  EXPECT_EQ(ArgMax({nothing.data(), nothing.size()}), 0);
  EXPECT_EQ(ArgMax({}), 0);
}

TEST(GreedySampler, IgnoresTheTemperature) {
  testing::MadeComponent made(tenon_plugin_v1_decoding_greedy(), "greedy");
  Sampler* const sampler = made.Get<Sampler>();
  ASSERT_NE(sampler, nullptr);
  SamplingParams params;
  params.temperature = 100;
  const DecodePoint point = {{}, 0, &params};
  for (uint64_t seed = 0; seed < 20; ++seed) {
    params.seed = seed;
    std::vector<float> logits = {1, 1.01f, 1};
    EXPECT_EQ(sampler->Sample(point, {logits.data(), 3}, nullptr), 1);
  }
}

TEST(GreedySampler, PutsAllProbabilityOnOneToken) {
  testing::MadeComponent made(tenon_plugin_v1_decoding_greedy(), "greedy");
  SamplingParams params;
  std::vector<float> logits = {1, 7, 7, 2};
  made.Get<Sampler>()->Distribution({{}, 0, &params}, {logits.data(), 4}, nullptr);
  EXPECT_EQ(logits, (std::vector<float>{0, 1, 0, 0}));
}

}  // namespace
}  // namespace tenon::decoding
