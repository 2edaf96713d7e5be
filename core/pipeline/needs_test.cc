// SPDX-License-Identifier: Apache-2.0
#include "core/pipeline/needs.h"

#include <gtest/gtest.h>

#include "core/pipeline/fake_set_test.h"

namespace tenon::core {
namespace {

Registry& Fakes() {
  static Registry& registry = *[] {
    auto* made = new Registry;
    made->AddBuiltIn(FakeEntry(FakeSet()));
    return made;
  }();
  return registry;
}

std::string Unmet(const std::string& attention, const std::vector<Need>& needs) {
  const auto pipeline =
      LoadPipelineText("model: a\nattention: " + attention + "\n", "p.yaml", "", {}, Fakes());
  if (!pipeline.ok()) return pipeline.error().message;
  const auto checked = CheckNeeds(*pipeline, Fakes(), needs);
  return checked.ok() ? "" : checked.error().message;
}

TEST(CheckNeeds, NamesTheBitAndThoseThatFit) {
  const std::vector<Need> needs = {
      {Family::kAttention, Claim(Capability::kSlidingWindow), "gemma3"}};
  EXPECT_EQ(Unmet("flash", needs),
            "TN109 flash does not understand sliding window, which gemma3 needs; paged, reference "
            "do");
  EXPECT_EQ(Unmet("paged", needs), "");
}

TEST(CheckNeeds, ThoseThatFitMeetEveryNeed) {
  const std::vector<Need> needs = {
      {Family::kAttention, Claim(Capability::kSlidingWindow), "gemma3"},
      {Family::kAttention, Claim(Capability::kTreeMask, Capability::kSinks), "ngram"},
      {Family::kQuant, ClaimWeights(DType::kQ4_K), "gemma3"}};
  EXPECT_EQ(Unmet("flash", needs),
            "TN109 flash does not understand sliding window, which gemma3 needs; no attention "
            "component here does\n"
            "TN109 flash does not understand attention sinks and tree mask, which ngram needs; no "
            "attention component here does\n"
            "TN109 native does not understand q4_k weights, which gemma3 needs; no quant component "
            "here does");
}

TEST(CheckNeeds, RefusesEachBitByItsName) {
  int bits = 0;
  for (uint32_t i = 0; i < 128; ++i) {
    const auto bit = static_cast<Capability>(i);
    if (Describe(bit) == nullptr || bit == Capability::kDeviceCpu) continue;
    ++bits;
    for (const Family family : {Family::kAttention, Family::kQuant, Family::kDevice}) {
      const std::string told = Unmet("flash", {{family, Claim(bit), "the model"}});
      EXPECT_EQ(told.rfind("TN109 ", 0), 0u) << i << ": " << told;
      EXPECT_NE(told.find(std::string("does not understand ") + Describe(bit)), std::string::npos)
          << i << ": " << told;
    }
  }
  EXPECT_GT(bits, 25);
}

TEST(CheckNeeds, AChainMeetsANeedTogether) {
  const std::vector<Need> needs = {{Family::kDecoding, Claim(Capability::kTreeMask), "a drafter"}};
  EXPECT_EQ(Unmet("paged", needs),
            "TN109 decoding (penalties and sampler) does not understand tree mask, which a drafter "
            "needs; no decoding component here does");
}

}  // namespace
}  // namespace tenon::core
