// SPDX-License-Identifier: Apache-2.0
#include "models/adapter_config.h"

#include <cmath>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "models/testing/hostile.h"
#include "nlohmann/json.hpp"

namespace tenon::models {
namespace {

using ::testing::HasSubstr;
using Json = nlohmann::ordered_json;

constexpr const char* kQ0 = "model.layers.0.self_attn.q_proj";
constexpr const char* kQ10 = "model.layers.10.self_attn.q_proj";
constexpr const char* kDown = "model.layers.0.mlp.down_proj";

Json Seed() {
  return Json::parse(R"({"peft_type": "LORA", "r": 8, "lora_alpha": 16, "bias": "none",
    "target_modules": ["q_proj", "mlp.down_proj"], "use_rslora": false, "rank_pattern": {},
    "alpha_pattern": {}, "fan_in_fan_out": false, "modules_to_save": null, "lora_dropout": 0.1})");
}

Result<AdapterConfig> Parse(const Json& json) {
  return AdapterConfig::Parse(json.dump(), "adapter_config.json");
}

std::string ErrorWith(const char* key, const Json& value) {
  Json json = Seed();
  json[key] = value;
  const auto config = Parse(json);
  return config.ok() ? "no error" : config.error().message;
}

TEST(AdapterConfig, TellsRankScaleAndTargets) {
  const auto config = Parse(Seed());
  ASSERT_TRUE(config.ok()) << config.error().message;
  EXPECT_EQ(config->RankOf(kQ0), 8);
  EXPECT_EQ(config->ScaleOf(kQ0), 2.0);
  EXPECT_TRUE(config->Targets(kQ0));
  EXPECT_TRUE(config->Targets(kDown));
  EXPECT_TRUE(config->Targets("q_proj"));
  EXPECT_FALSE(config->Targets("model.layers.0.self_attn.xq_proj"));
  EXPECT_FALSE(config->Targets("model.layers.0.self_attn.q_proj.base"));
}

TEST(AdapterConfig, ScalesByTheRootWithRsLora) {
  Json json = Seed();
  json["use_rslora"] = true;
  const auto config = Parse(json);
  ASSERT_TRUE(config.ok());
  EXPECT_EQ(config->ScaleOf(kQ0), 16 / std::sqrt(8.0));
}

TEST(AdapterConfig, TakesTheFirstPatternThatMatches) {
  Json json = Seed();
  json["rank_pattern"] = {
      {"layers.0.self_attn.q_proj", 4}, {R"(model\.layers\.(1|10)\..*q_proj)", 32}, {"q_proj", 64}};
  json["alpha_pattern"] = {{"^model.layers.0.*q_proj", 1}, {"layers.\\d+.mlp.down_proj", 2.5}};
  const auto config = Parse(json);
  ASSERT_TRUE(config.ok()) << config.error().message;
  EXPECT_EQ(config->RankOf(kQ0), 4);
  EXPECT_EQ(config->RankOf(kQ10), 32);
  EXPECT_EQ(config->RankOf("model.layers.2.self_attn.q_proj"), 64);
  EXPECT_EQ(config->RankOf(kDown), 8);
  EXPECT_EQ(config->ScaleOf(kQ0), 0.25);
  EXPECT_EQ(config->ScaleOf(kQ10), 0.5);
  EXPECT_EQ(config->ScaleOf(kDown), 2.5 / 8);
}

TEST(AdapterConfig, TargetsMayBeOneExpression) {
  Json json = Seed();
  json["target_modules"] = R"(.*\.layers\.0\..*(q|k)_proj)";
  const auto config = Parse(json);
  ASSERT_TRUE(config.ok()) << config.error().message;
  EXPECT_TRUE(config->Targets(kQ0));
  EXPECT_FALSE(config->Targets(kQ10));
  json["target_modules"] = "all-linear";
  const auto all = Parse(json);
  ASSERT_TRUE(all.ok());
  EXPECT_TRUE(all->Targets("anything"));
}

TEST(AdapterConfig, RefusesEachKeyThatChangesTheComputation) {
  EXPECT_EQ(ErrorWith("lora_dropout", 0.5), "no error");
  EXPECT_THAT(ErrorWith("peft_type", "IA3"), HasSubstr(R"(peft_type is "IA3"; "LORA" allowed)"));
  EXPECT_THAT(ErrorWith("bias", "lora_only"), HasSubstr(R"(bias is "lora_only"; "none" allowed)"));
  for (const char* key : {"fan_in_fan_out", "lora_bias", "use_dora", "use_qalora"}) {
    EXPECT_THAT(ErrorWith(key, true), HasSubstr(std::string(key) + " is true")) << key;
    EXPECT_EQ(ErrorWith(key, false), "no error") << key;
    EXPECT_EQ(ErrorWith(key, nullptr), "no error") << key;
  }
  for (const char* key : {"modules_to_save", "trainable_token_indices", "layer_replication",
                          "alora_invocation_tokens", "target_parameters", "new_technique"}) {
    EXPECT_THAT(ErrorWith(key, Json::array({1})), HasSubstr(std::string(key) + " is a list"))
        << key;
    EXPECT_EQ(ErrorWith(key, nullptr), "no error") << key;
    EXPECT_EQ(ErrorWith(key, Json::array()), "no error") << key;
  }
  EXPECT_THAT(ErrorWith("init_lora_weights", "pissa"), HasSubstr("changes the base model"));
  EXPECT_EQ(ErrorWith("init_lora_weights", "gaussian"), "no error");
}

TEST(AdapterConfig, ChecksNumbersAndExpressions) {
  for (const Json& rank : {Json(0), Json(257), Json(-1), Json(8.0), Json("8"), Json(nullptr)}) {
    EXPECT_THAT(ErrorWith("r", rank), HasSubstr("1 to 256 allowed")) << rank;
  }
  for (const Json& alpha : {Json(1e31), Json("16"), Json(nullptr), Json(true)}) {
    EXPECT_THAT(ErrorWith("lora_alpha", alpha), HasSubstr("lora_alpha is")) << alpha;
  }
  EXPECT_THAT(ErrorWith("rank_pattern", {{"q_proj", 300}}), HasSubstr(R"(rank_pattern: "q_proj")"));
  EXPECT_THAT(ErrorWith("rank_pattern", {{"(q_proj", 3}}), HasSubstr("no regular expression"));
  EXPECT_THAT(ErrorWith("rank_pattern", {{"a{1111111111111111111}", 3}}), HasSubstr("too big"));
  EXPECT_THAT(ErrorWith("rank_pattern", {{"((((a{9}){9}){9}){9}){9}", 3}}), HasSubstr("too large"));
  EXPECT_THAT(ErrorWith("rank_pattern", {{"(a)\\1", 3}}), HasSubstr("refers back"));
  EXPECT_THAT(ErrorWith("alpha_pattern", {{std::string(300, 'a'), 3}}), HasSubstr("300 bytes"));
  EXPECT_THAT(ErrorWith("alpha_pattern", "x"), HasSubstr("an object of at most"));
  EXPECT_THAT(ErrorWith("target_modules", 3), HasSubstr("target_modules is 3"));
  EXPECT_THAT(ErrorWith("target_modules", Json::array({1})), HasSubstr("target_modules is a list"));
  EXPECT_THAT(ErrorWith("use_rslora", 1), HasSubstr("use_rslora is 1"));
}

TEST(AdapterConfig, TellsAllThatIsWrongAtOnce) {
  Json json = Seed();
  json["r"] = 0;
  json["use_dora"] = true;
  json["bias"] = "all";
  const auto config = Parse(json);
  ASSERT_FALSE(config.ok());
  for (const char* key : {"r is 0", "use_dora is true", "bias is \"all\""}) {
    EXPECT_THAT(config.error().message, HasSubstr(key));
  }
}

// An expression that takes exponential time where every path is tried.
TEST(AdapterConfig, MatchesHostileExpressionsQuickly) {
  Json json = Seed();
  json["alpha_pattern"] = {{"((a{0,9}){0,9}){0,9}b", 3}};
  json["rank_pattern"] = {{"(a*)*(a|aa)*(a*a*)*b", 3}};
  const auto config = Parse(json);
  ASSERT_TRUE(config.ok()) << config.error().message;
  EXPECT_EQ(config->RankOf(std::string(200, 'a')), 8);
  EXPECT_EQ(config->RankOf(std::string(200, 'a') + "b"), 3);
  EXPECT_TRUE(std::isfinite(config->ScaleOf(std::string(200, 'a') + "b")));
}

TEST(AdapterConfig, RefusesWhatIsNoSmallObject) {
  const auto error = [](const std::string& json) {
    const auto config = AdapterConfig::Parse(json, "c.json");
    return config.ok() ? "no error" : config.error().message;
  };
  EXPECT_EQ(error("[1]"), "c.json: is no JSON object");
  EXPECT_THAT(error("{\"a\":" + std::string(100000, '[')), HasSubstr("nested too deep"));
  EXPECT_THAT(error(std::string((1 << 20) + 1, ' ')), HasSubstr("has 1048577 bytes"));
  testing::EachPrefix(
      Seed().dump(), [&](std::span<const std::byte> bytes, const std::string& what) {
        const std::string json(reinterpret_cast<const char*>(bytes.data()), bytes.size());
        EXPECT_THAT(error(json), HasSubstr("c.json: ")) << what;
      });
  testing::EachByteChanged(Seed().dump(), Seed().dump().size(),
                           [&](std::span<const std::byte> bytes, const std::string&) {
                             const std::string json(reinterpret_cast<const char*>(bytes.data()),
                                                    bytes.size());
                             EXPECT_FALSE(error(json).empty());
                           });
}

// The fuzz target starts from these.
TEST(AdapterConfig, ReadsTheFuzzersFirstInputs) {
  int seen = 0;
  for (const auto& entry : std::filesystem::directory_iterator(
           TENON_SOURCE_DIR "/tests/data/fuzz/adapter_config_fuzz")) {
    const auto config = AdapterConfig::Open(entry.path().string());
    EXPECT_TRUE(config.ok()) << config.error().message;
    ++seen;
  }
  EXPECT_EQ(seen, 2);
}

}  // namespace
}  // namespace tenon::models
