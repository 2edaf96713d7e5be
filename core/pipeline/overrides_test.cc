// SPDX-License-Identifier: Apache-2.0
#include "core/pipeline/overrides.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/pipeline/fake_set_test.h"

namespace tenon::core {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* kYaml =
    "model: a\n"
    "attention: {use: paged, page_tokens: 32, kv_type: f32}\n";

TEST(Overrides, SetOptionsAndTheModel) {
  const auto pipeline = LoadFake(kYaml, {"attention.page_tokens=8", "model=dir/b.gguf",
                                         "memory.context_tokens=99", "adapters.a.b=folder"});
  ASSERT_TRUE(pipeline.ok()) << pipeline.error().message;
  EXPECT_EQ(pipeline->Of(Family::kAttention).options.View().Int("page_tokens"), 8);
  EXPECT_EQ(pipeline->model, "dir/b.gguf");
  EXPECT_EQ(pipeline->memory.context_tokens, 99);
  EXPECT_EQ(pipeline->adapters.at("a.b"), "folder");
  EXPECT_THAT(pipeline->notes, IsEmpty());
}

TEST(Overrides, SwapKeepsWhatTheNewComponentAlsoHas) {
  for (const char* swap : {"attention.use=flash", "attention=flash"}) {
    const auto pipeline = LoadFake(kYaml, {swap});
    ASSERT_TRUE(pipeline.ok()) << pipeline.error().message;
    EXPECT_EQ(pipeline->Of(Family::kAttention).component->name, "flash");
    EXPECT_EQ(std::string_view(pipeline->Of(Family::kAttention).options.View().Text("kv_type")),
              "f32");
    EXPECT_THAT(pipeline->notes,
                ElementsAre("attention: now flash; kept kv_type; dropped page_tokens, which flash "
                            "does not have"));
  }
}

TEST(Overrides, SwapWorksInAnyOrderWithItsOptions) {
  for (const auto& overrides :
       {std::vector<std::string>{"attention.tile=128", "attention.use=flash"},
        std::vector<std::string>{"attention.use=flash", "attention.tile=128"},
        std::vector<std::string>{"attention.tile=128", "attention=flash"}}) {
    const auto pipeline = LoadFake(kYaml, overrides);
    ASSERT_TRUE(pipeline.ok()) << pipeline.error().message;
    EXPECT_EQ(pipeline->Of(Family::kAttention).options.View().Int("tile"), 128);
  }
}

TEST(Overrides, NamingTheSameComponentDropsNothing) {
  const auto pipeline = LoadFake(kYaml, {"attention.use=paged"});
  ASSERT_TRUE(pipeline.ok());
  EXPECT_THAT(pipeline->notes, IsEmpty());
}

TEST(Overrides, ReachIntoTheChainByNumberAndByName) {
  for (const char* yaml : {"model: a\n", "model: a\ndecoding: [penalties, {use: sampler}]\n"}) {
    for (const char* path : {"decoding.1.temperature=0.5", "decoding.sampler.temperature=0.5"}) {
      const auto pipeline = LoadFake(yaml, {path});
      ASSERT_TRUE(pipeline.ok()) << pipeline.error().message;
      ASSERT_EQ(pipeline->decoding.size(), 2u);
      EXPECT_EQ(pipeline->decoding[1].options.View().Float("temperature"), 0.5);
    }
  }
}

TEST(Overrides, ReplaceTheChain) {
  const auto one = LoadFake(kYaml, {"decoding=sampler"});
  ASSERT_TRUE(one.ok()) << one.error().message;
  EXPECT_EQ(one->decoding.size(), 1u);
  const auto list = LoadFake(kYaml, {"decoding=[acme.top_p, {use: sampler, temperature: 0}]",
                                     "decoding.acme.top_p.use=penalties"});
  ASSERT_TRUE(list.ok()) << list.error().message;
  ASSERT_EQ(list->decoding.size(), 2u);
  EXPECT_EQ(list->decoding[0].component->name, "penalties");
  EXPECT_EQ(list->decoding[1].options.View().Float("temperature"), 0);
}

TEST(Overrides, ErrorsNameTheArgument) {
  EXPECT_EQ(ErrorOf(kYaml, {"attention.tiles=64", "attention.use=flash"}),
            "TN201 --set attention.tiles=64: unknown option \"tiles\" of flash; did you mean "
            "\"tile\"?");
  EXPECT_EQ(ErrorOf(kYaml, {"attention.page_tokens=0"}),
            "TN202 --set attention.page_tokens=0: page_tokens is 0; 1 to 256 tokens allowed");
  EXPECT_EQ(ErrorOf(kYaml, {"atention.use=flash"}),
            "TN201 --set atention.use=flash: unknown key \"atention\"; did you mean "
            "\"attention\"?");
  EXPECT_EQ(ErrorOf(kYaml, {"attention"}),
            "TN208 --set attention: family.key=value allowed, e.g. attention.use=flash");
  EXPECT_EQ(ErrorOf(kYaml, {"decoding.7.temperature=1"}),
            "TN208 --set decoding.7.temperature=1: there is no decoding \"7\"; there are 0 "
            "(penalties), 1 (sampler)");
  EXPECT_THAT(ErrorOf(kYaml, {"decoding.temperature=1"}),
              HasSubstr("decoding is a list; decoding.0.temperature=… or "
                        "decoding.NAME.temperature=… allowed; there are 0 (penalties)"));
  EXPECT_THAT(ErrorOf(kYaml, {"model.x=1"}), HasSubstr("model has no keys"));
  EXPECT_THAT(ErrorOf(kYaml, {"plugins=x.so"}), HasSubstr("--plugin-dir loads more plugins"));
  EXPECT_THAT(ErrorOf(kYaml, {"decoding=[a"}), HasSubstr("TN200 --set decoding=[a: this is not"));
}

TEST(Overrides, WhatIsNoTextIsAnError) {
  for (const std::string& value :
       {std::string("d\x01"), std::string("d\0", 2), std::string("\xfe")}) {
    const auto pipeline = LoadFake(kYaml, {"model=" + value});
    ASSERT_FALSE(pipeline.ok());
    EXPECT_EQ(pipeline.error().code, "TN208");
    EXPECT_THAT(pipeline.error().message, HasSubstr("this is not text"));
  }
}

TEST(Overrides, SurviveMisshapenTrees) {
  for (const char* yaml : {"attention: []\n", "attention: 3\n", "decoding: {a: [1]}\n",
                           "decoding: [[x], 3, ~]\n", "memory: x\n", "adapters: [1]\n"}) {
    for (const char* set : {"attention.use=flash", "attention=flash", "decoding.0.a=1",
                            "decoding.1.a=1", "decoding..=", "decoding.use=[]", "memory.x=1",
                            "attention.=", "attention..use=x", "adapters.x={}", "=", "."}) {
      EXPECT_NE(ErrorOf(yaml, {set}), "loaded") << yaml << set;
    }
  }
}

}  // namespace
}  // namespace tenon::core
