// SPDX-License-Identifier: Apache-2.0
#include "core/plugins/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/plugins/fake_plugin_test.h"

namespace tenon::core {
namespace {

using ::testing::HasSubstr;
using Json = nlohmann::json;

void Fill(Registry& registry) {
  const OptionInfo tile{"tile", OptionType::kInt, "64", "Keys a tile.", 16, 256, "", "tokens"};
  const OptionInfo type{"kv_type", OptionType::kString, "f16", "How.", 0, 0, "f32|f16"};
  static const PluginInfo* info =
      FakePlugin("tenon.report",
                 {FakeComponent(Family::kAttention, "paged", 5, {tile, type},
                                Claim(Capability::kSlidingWindow, WeightCapability(DType::kQ4_1))),
                  FakeComponent(Family::kAttention, "flash", 0, {}, {}, [](Host* host) noexcept {
                    return host->Fail(Status::kUnsupported, "found no CUDA device");
                  })});
  registry.AddBuiltIn(FakeEntry(info));
}

TEST(PluginsText, ListsMarksDefaultsAndCountsRefusals) {
  Registry registry;
  Fill(registry);
  EXPECT_EQ(PluginsText(registry, false),
            "attention  paged * tenon.report 0.1.0  A fake.\n"
            "* used where a pipeline leaves the family out\n"
            "1 not used; `tenon plugins --why` says why\n");
  EXPECT_THAT(PluginsText(registry, true),
              HasSubstr("TN105 flash: skipped: found no CUDA device\n  file built in\n"));
}

TEST(PluginsText, SaysWhereToLookWhenThereIsNothing) {
  Registry registry;
  EXPECT_EQ(PluginsText(registry, false), "no plugins: see --plugin-dir and TENON_PLUGIN_PATH\n");
}

TEST(PluginsJson, HasEveryComponentAndRefusal) {
  Registry registry;
  Fill(registry);
  EXPECT_FALSE(registry.AddFile("/nonexistent/x.so").ok());
  const Json json = Json::parse(PluginsJson(registry));
  ASSERT_EQ(json["components"].size(), 2u);
  EXPECT_EQ(json["components"][0]["state"], "skipped");
  EXPECT_EQ(json["components"][1]["name"], "paged");
  EXPECT_EQ(json["components"][1]["default"], true);
  EXPECT_EQ(json["components"][1]["options"][0]["maximum"], 256);
  EXPECT_EQ(json["components"][1]["options"][1]["choices"], Json({"f32", "f16"}));
  EXPECT_EQ(json["components"][1]["capabilities"], Json({"sliding window", "q4_1 weights"}));
  ASSERT_EQ(json["refused"].size(), 1u);
  EXPECT_EQ(json["refused"][0]["code"], "TN101");
}

TEST(Describe, TellsOptionsWithTheirBounds) {
  Registry registry;
  Fill(registry);
  for (const char* name : {"paged", "attention/paged"}) {
    const auto text = DescribeText(registry, name);
    ASSERT_TRUE(text.ok()) << text.error().message;
    EXPECT_EQ(*text,
              "attention paged: A fake.\n"
              "  plugin tenon.report 0.1.0 (Apache-2.0)\n"
              "  file built in\n"
              "  understands sliding window, q4_1 weights\n"
              "options\n"
              "  tile                 Keys a tile. (default 64; 16 to 256 tokens)\n"
              "  kv_type              How. (default f16; f32, f16)\n");
  }
  const auto all = DescribeJson(registry, "tenon.report");
  ASSERT_TRUE(all.ok());
  EXPECT_EQ(Json::parse(*all)["components"].size(), 2u);
}

TEST(Describe, UnknownNameGetsASuggestion) {
  Registry registry;
  Fill(registry);
  const auto text = DescribeText(registry, "pagde");
  ASSERT_FALSE(text.ok());
  EXPECT_EQ(text.error().message,
            "there is no component \"pagde\"; did you mean \"paged\"? (`tenon plugins` lists them "
            "all)");
}

}  // namespace
}  // namespace tenon::core
