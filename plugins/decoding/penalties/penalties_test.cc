// SPDX-License-Identifier: Apache-2.0
#include "plugins/decoding/penalties/penalties.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "plugins/scheduler/common/made_component.h"

extern "C" const tenon::PluginInfo* tenon_plugin_v1_decoding_penalties();

namespace tenon::decoding {
namespace {

using testing::MadeComponent;

// Tokens 0 and 1 twice in the prompt; 1 once and 2 three times in the output.
const std::vector<int32_t> kTokens = {0, 1, 0, 1, 2, 1, 2, 2};
constexpr int32_t kPromptTokens = 4;

std::vector<float> Apply(const SamplingParams& params, std::vector<float> logits,
                         const std::map<std::string, std::string>& options = {},
                         const std::vector<int32_t>& tokens = kTokens) {
  MadeComponent made(tenon_plugin_v1_decoding_penalties(), "penalties", options);
  made.Get<LogitProcessor>()->Apply({{tokens.data(), tokens.size()}, kPromptTokens, &params},
                                    {logits.data(), logits.size()});
  return logits;
}

TEST(Penalties, DoNothingUnlessAsked) {
  EXPECT_EQ(Apply({}, {1, -2, 3, -4}), (std::vector<float>{1, -2, 3, -4}));
}

TEST(Penalties, RepetitionCountsPromptAndOutputOnceAToken) {
  SamplingParams params;
  params.repetition_penalty = 2;
  EXPECT_EQ(Apply(params, {1, -2, 3, -4}), (std::vector<float>{0.5f, -4, 1.5f, -4}));
}

TEST(Penalties, PresenceAndFrequencyCountTheOutput) {
  SamplingParams presence;
  presence.presence_penalty = 0.5f;
  EXPECT_EQ(Apply(presence, {1, 1, 1, 1}), (std::vector<float>{1, 0.5f, 0.5f, 1}));
  SamplingParams frequency;
  frequency.frequency_penalty = 0.25f;
  EXPECT_EQ(Apply(frequency, {1, 1, 1, 1}), (std::vector<float>{1, 0.75f, 0.25f, 1}));
}

TEST(Penalties, WorkInOrderAndAddTheBiasLast) {
  const TokenBias bias[] = {{2, 10}, {3, -100}, {-1, 5}, {4, 5}, {INT32_MAX, 5}, {0, NAN}};
  SamplingParams params;
  params.repetition_penalty = 2;
  params.presence_penalty = 1;
  params.frequency_penalty = 0.5f;
  params.logit_bias = {bias, 6};
  EXPECT_EQ(Apply(params, {2, 2, 2, 2}), (std::vector<float>{1, -0.5f, 8.5f, -98}));
}

TEST(Penalties, RequestGoesBeforeTheOptions) {
  const std::map<std::string, std::string> options = {{"repetition_penalty", "2.0"},
                                                      {"presence_penalty", "1.0"}};
  EXPECT_EQ(Apply({}, {2, 2, 2, 2}, options), (std::vector<float>{1, 0, 0, 2}));
  SamplingParams neutral;
  neutral.repetition_penalty = 1;
  neutral.presence_penalty = 0;
  EXPECT_EQ(Apply(neutral, {2, 2, 2, 2}, options), (std::vector<float>{2, 2, 2, 2}));
}

TEST(Penalties, ReachTokensOfALargeVocabulary) {
  std::vector<float> logits(700000, 1);
  const std::vector<int32_t> tokens = {5, 32767, 32768, 262143, 262144, 699999, 699999, 5, 699999};
  SamplingParams params;
  params.repetition_penalty = 4;
  params.frequency_penalty = 1;
  const std::vector<float> got = Apply(params, logits, {}, tokens);
  EXPECT_EQ(got[32767], 0.25f);
  EXPECT_EQ(got[262143], 0.25f);
  EXPECT_EQ(got[262144], 0.25f - 1);
  EXPECT_EQ(got[5], 0.25f - 1);
  EXPECT_EQ(got[699999], 0.25f - 3);
  EXPECT_EQ(got[6], 1);
}

TEST(Penalties, StandHostileParametersAndTokens) {
  const std::vector<int32_t> tokens = {-1, INT32_MIN, INT32_MAX, 4, 0, -7, INT32_MAX};
  for (const float bad : {NAN, INFINITY, -INFINITY}) {
    SamplingParams params;
    params.repetition_penalty = bad;
    params.presence_penalty = bad;
    params.frequency_penalty = bad;
    EXPECT_EQ(Apply(params, {1, 2, 3}, {}, tokens), (std::vector<float>{1, 2, 3}));
  }
  SamplingParams zero;
  zero.repetition_penalty = 0;
  EXPECT_EQ(Apply(zero, {1, 2, 3}, {}, tokens), (std::vector<float>{1, 2, 3}));
  SamplingParams plain;
  plain.repetition_penalty = 2;
  plain.frequency_penalty = 1;
  EXPECT_EQ(Apply(plain, {1, 2, 3}, {}, tokens), (std::vector<float>{-0.5f, 2, 3}));
}

}  // namespace
}  // namespace tenon::decoding
