// SPDX-License-Identifier: Apache-2.0
#include "core/pipeline/schema.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/pipeline/document.h"
#include "core/pipeline/fake_set_test.h"

namespace tenon::core {
namespace {

using Json = nlohmann::json;

Json Schema() {
  Registry registry;
  registry.AddBuiltIn(FakeEntry(FakeSet()));
  return Json::parse(PipelineSchema(registry));
}

TEST(PipelineSchema, HasEveryKeyAndNoOther) {
  const Json schema = Schema();
  EXPECT_EQ(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
  EXPECT_EQ(schema["additionalProperties"], false);
  EXPECT_EQ(schema["properties"].size(), PipelineKeys().size());
  for (const std::string& key : PipelineKeys()) EXPECT_TRUE(schema["properties"].contains(key));
}

TEST(PipelineSchema, HasTheOptionTables) {
  const Json alternatives = Schema()["properties"]["attention"]["anyOf"];
  const auto paged = std::find_if(alternatives.begin(), alternatives.end(), [](const Json& one) {
    return one.value("title", "") == "paged";
  });
  ASSERT_NE(paged, alternatives.end());
  EXPECT_EQ((*paged)["additionalProperties"], false);
  EXPECT_EQ((*paged)["properties"]["use"]["const"], "paged");
  const Json& page = (*paged)["properties"]["page_tokens"];
  EXPECT_EQ(page["anyOf"][0]["type"], "integer");
  EXPECT_EQ(page["anyOf"][0]["minimum"], 1);
  EXPECT_EQ(page["anyOf"][0]["maximum"], 256);
  EXPECT_EQ((*paged)["properties"]["kv_type"]["anyOf"][0]["enum"], Json({"f32", "f16", "bf16"}));
  EXPECT_FALSE((*paged)["properties"].contains("tile"));
}

TEST(PipelineSchema, DecodingIsAList) {
  const Json decoding = Schema()["properties"]["decoding"];
  EXPECT_EQ(decoding["type"], "array");
  EXPECT_EQ(decoding["items"]["anyOf"].size(), 5u) << "three components, a bare name, a variable";
}

TEST(PipelineSchema, WorksWithoutPlugins) {
  Registry empty;
  const Json schema = Json::parse(PipelineSchema(empty));
  EXPECT_EQ(schema["properties"].size(), PipelineKeys().size());
}

}  // namespace
}  // namespace tenon::core
