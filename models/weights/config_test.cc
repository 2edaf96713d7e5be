// SPDX-License-Identifier: Apache-2.0
#include "models/weights/config.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "models/testing/hostile.h"

namespace tenon::models {
namespace {

using ::testing::HasSubstr;
using Kind = Scalar::Kind;

constexpr const char* kSeed =
    R"({"n": 3, "big": 18446744073709551615, "x": -1.5e-3, "on": true, "none": null,)"
    R"( "name": "ll\u0061ma", "rope": {"full": {"theta": 1e6}}, "types": ["a", "b"]})";

std::string ErrorOf(std::string_view json) {
  const Result<ConfigFile> config = ConfigFile::Parse(json, "config.json");
  return config.ok() ? "no error" : config.error().message;
}

TEST(ConfigFile, FindsValuesByPath) {
  const Result<ConfigFile> config = ConfigFile::Parse(kSeed, "config.json");
  ASSERT_TRUE(config.ok()) << config.error().message;
  EXPECT_EQ(config->Find("n").kind, Kind::kInteger);
  EXPECT_EQ(config->Find("n").integer, 3);
  EXPECT_EQ(config->Find("n").real, 3);
  EXPECT_EQ(config->Find("big").kind, Kind::kReal);
  EXPECT_EQ(config->Find("x").real, -1.5e-3);
  EXPECT_EQ(config->Find("on").integer, 1);
  EXPECT_EQ(config->Find("none").kind, Kind::kNull);
  EXPECT_EQ(config->Find("name").text, "llama");
  EXPECT_EQ(config->Find("rope.full.theta").real, 1e6);
  EXPECT_EQ(config->Find("types.1").text, "b");
  EXPECT_EQ(config->ListSize("types"), 2);
  EXPECT_EQ(config->ListSize("rope"), -1);
  EXPECT_EQ(config->Find("rope").text, "an object");
  for (const char* key : {"types.2", "types.-1", "types.x", "n.x", "rope.x", "", ".", "rope."}) {
    EXPECT_EQ(config->Find(key).kind, Kind::kMissing) << key;
  }
}

TEST(ConfigFile, RefusesWhatIsNoSmallObject) {
  EXPECT_EQ(ErrorOf("[1]"), "config.json: is no JSON object");
  EXPECT_THAT(ErrorOf("{\"a\": 1"), HasSubstr("is no valid JSON at byte"));
  EXPECT_THAT(ErrorOf("{\"a\": 1e999}"), HasSubstr("config.json: "));
  EXPECT_THAT(ErrorOf("{\"\xff\": 1}"), HasSubstr("is no valid JSON at byte"));
  EXPECT_THAT(ErrorOf("{\"a\":" + std::string(100000, '[')), HasSubstr("nested too deep"));
  EXPECT_THAT(ErrorOf(std::string((1 << 20) + 1, ' ')), HasSubstr("has 1048577 bytes"));
}

TEST(ConfigFile, EveryPrefixAndChangedByteIsReadOrRefused) {
  testing::EachPrefix(kSeed, [](std::span<const std::byte> bytes, const std::string& what) {
    const std::string_view json(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    EXPECT_THAT(ErrorOf(json), HasSubstr("config.json: ")) << what;
  });
  int refused = 0;
  testing::EachByteChanged(kSeed, std::string_view(kSeed).size(),
                           [&](std::span<const std::byte> bytes, const std::string&) {
                             const std::string_view json(
                                 reinterpret_cast<const char*>(bytes.data()), bytes.size());
                             if (ErrorOf(json) != "no error") ++refused;
                           });
  EXPECT_GT(refused, 500);
}

}  // namespace
}  // namespace tenon::models
