// SPDX-License-Identifier: Apache-2.0
#include "apps/compare/ablation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/pipeline/fake_set_test.h"

namespace tenon::apps {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

// "quant native: default; attention flash: paged"
std::vector<std::string> Told(const std::string& yaml, std::vector<Switch>* switches = nullptr) {
  core::Registry registry;
  registry.AddBuiltIn(core::FakeEntry(core::FakeSet()));
  const auto pipeline = core::LoadPipelineText(yaml, "p.yaml", "", {}, registry);
  EXPECT_TRUE(pipeline.ok()) << pipeline.error().message;
  std::vector<Switch> all = SwitchesOf(*pipeline, registry);
  std::vector<std::string> out;
  for (const Switch& one : all) {
    std::string line = std::string(Name(one.family)) + " " + one.component + ":";
    for (const Switch::Way& way : one.ways) line += " [" + way.instead + "]";
    out.push_back(line);
  }
  if (switches != nullptr) *switches = std::move(all);
  return out;
}

TEST(SwitchesOf, LeavesDefaultsAlone) {
  EXPECT_THAT(Told("model: m\nattention: {tile: 64, use: flash}\n"),
              ElementsAre("device cpu:", "attention flash: [paged]", "quant native:",
                          "scheduler chunked:", "parallel none:", "decoding penalties: [left out]",
                          "decoding sampler: [left out]"));
}

TEST(SwitchesOf, ResetsOptionsOfWhatIsTheDefaultAlready) {
  std::vector<Switch> switches;
  const auto told = Told("model: m\nattention: {use: paged, page_tokens: 32}\n", &switches);
  EXPECT_EQ(told[1], "attention paged: [paged with its default options]");
  EXPECT_THAT(switches[1].ways.at(0).pipeline, HasSubstr("page_tokens: 16"));
}

TEST(SwitchesOf, ChangesOnePluginAndNothingElse) {
  std::vector<Switch> switches;
  Told("model: m\nattention: {use: flash, tile: 32}\nquant: {use: native, fast: false}\n",
       &switches);
  EXPECT_THAT(switches[1].ways.at(0).pipeline, HasSubstr("use: paged"));
  EXPECT_THAT(switches[1].ways.at(0).pipeline, HasSubstr("fast: false"));
  EXPECT_THAT(switches[2].ways.at(0).pipeline, HasSubstr("tile: 32"));
  EXPECT_THAT(switches[2].ways.at(0).pipeline, HasSubstr("fast: true"));
}

TEST(SwitchesOf, LeavesLinksOutOrPutsOneOfTheDefaultChainInTheirPlace) {
  std::vector<Switch> switches;
  const auto told = Told("model: m\ndecoding: [acme.top_p, sampler]\n", &switches);
  EXPECT_EQ(told[5], "decoding acme.top_p: [left out] [penalties]");
  EXPECT_EQ(told[6], "decoding sampler: [left out] [penalties]");
  EXPECT_THAT(switches[5].ways.at(0).pipeline, Not(HasSubstr("acme.top_p")));
  EXPECT_EQ(Told("model: m\ndecoding: [sampler]\n")[5], "decoding sampler: [penalties]");
}

TEST(Ablation, TurnsASwitchIntoWhatThePluginContributes) {
  SpeedRow row{"whole request", "ms", 10, 8, {0.2, 0.1, 0.3, 0.05, 3}, {}, {}};
  const Estimate speed = SpeedOfHaving(row);
  EXPECT_DOUBLE_EQ(speed.value, -0.2);
  EXPECT_DOUBLE_EQ(speed.low, -0.3);
  EXPECT_DOUBLE_EQ(speed.high, -0.1);
  EXPECT_TRUE(speed.Found());
}

}  // namespace
}  // namespace tenon::apps
