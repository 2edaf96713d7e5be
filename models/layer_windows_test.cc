// SPDX-License-Identifier: Apache-2.0
#include "models/layer_windows.h"

#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "models/settings.h"
#include "models/testing/tiny_llama.h"
#include "models/weights/config.h"

namespace tenon::models {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Outcome {
  std::vector<int32_t> windows;
  std::string problem;
};

// What `read` makes of four layers and that config.
template <typename Read>
Outcome After(const std::string& config, Read read) {
  const auto folder = testing::EmptyFolder("windows");
  const auto file = ConfigFile::Open(testing::WriteFile(folder / "config.json", config));
  EXPECT_TRUE(file.ok());
  if (!file.ok()) return {};
  Settings in(*file);
  DecoderSpec spec;
  spec.layers.resize(4);
  read(in, spec);
  Outcome out;
  for (const DecoderLayer& layer : spec.layers) out.windows.push_back(layer.window);
  if (const auto checked = in.Check(); !checked.ok()) out.problem = checked.error().message;
  return out;
}

Outcome Qwen(const std::string& config) { return After(config, ReadQwenWindows); }

Outcome Listed(const std::string& config) {
  return After(config, [](Settings& in, DecoderSpec& spec) { ReadLayerTypes(in, spec, 8); });
}

TEST(LayerWindows, FollowTheList) {
  const Outcome out =
      Listed(R"({"layer_types":["full_attention","sliding_attention","sliding_attention",)"
             R"("full_attention"]})");
  EXPECT_THAT(out.windows, ElementsAre(0, 8, 8, 0));
  EXPECT_EQ(out.problem, "");
  EXPECT_THAT(Listed("{}").windows, ElementsAre(0, 0, 0, 0));
}

TEST(LayerWindows, RefuseListsThatDoNotFit) {
  EXPECT_THAT(Listed(R"({"layer_types":["full_attention"]})").problem,
              HasSubstr("layer_types has 1 entries; 4 expected"));
  EXPECT_THAT(Listed(R"({"layer_types":["full_attention","odd",1,2]})").problem,
              HasSubstr("layer_types.1 is \"odd\"; sliding_attention or full_attention expected"));
}

TEST(LayerWindows, RepeatAPattern) {
  const Outcome out = After("{}", [](Settings&, DecoderSpec& spec) {
    SetWindow(spec, 5);
    SetWindowPattern(spec, 3, 8);
  });
  EXPECT_THAT(out.windows, ElementsAre(8, 8, 0, 8));
}

TEST(QwenWindows, CountOnlyWhereUsed) {
  EXPECT_THAT(Qwen(R"({"sliding_window":16,"max_window_layers":2})").windows,
              ElementsAre(0, 0, 0, 0));
  EXPECT_THAT(
      Qwen(R"({"use_sliding_window":true,"sliding_window":16,"max_window_layers":2})").windows,
      ElementsAre(0, 0, 16, 16));
  EXPECT_THAT(Qwen(R"({"use_sliding_window":true,"max_window_layers":3})").windows,
              ElementsAre(0, 0, 0, 4096));
  EXPECT_THAT(
      Qwen(R"({"use_sliding_window":true,"sliding_window":null,"max_window_layers":0})").windows,
      ElementsAre(0, 0, 0, 0));
}

TEST(QwenWindows, RefuseAListThatAsksForUnusedWindows) {
  const std::string list =
      R"("layer_types":["full_attention","sliding_attention","full_attention","full_attention"])";
  EXPECT_THAT(Qwen("{" + list + R"(,"sliding_window":16})").problem,
              HasSubstr("layer_types.1 is \"sliding_attention\", but no sliding_window is in use"));
  const Outcome used = Qwen("{" + list + R"(,"sliding_window":16,"use_sliding_window":true})");
  EXPECT_THAT(used.windows, ElementsAre(0, 16, 0, 0));
  EXPECT_EQ(used.problem, "");
}

}  // namespace
}  // namespace tenon::models
