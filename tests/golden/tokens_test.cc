// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <fstream>

#include "apps/assemble/open_model.h"
#include "nlohmann/json.hpp"

// A pulled model's tokenizer as the commands open it, against the reference ids and texts.
namespace tenon::testing {
namespace {

void ExpectReferenceTokens(const std::string& model, const std::string& file) {
  const auto tokenizer = apps::OpenTokenizer(model);
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.error().message;
  std::ifstream stream(TENON_SOURCE_DIR "/tests/data/text/" + file);
  const nlohmann::json document = nlohmann::json::parse(stream, nullptr, false);
  ASSERT_TRUE(document.is_object()) << file;
  ASSERT_GT(document["cases"].size(), 200U);
  for (const nlohmann::json& one : document["cases"]) {
    const auto wanted = one["ids"].get<std::vector<int32_t>>();
    const auto ids = tokenizer->Encode(one["text"].get<std::string>(), {.parse_special = true});
    ASSERT_TRUE(ids.ok()) << ids.error().message;
    EXPECT_EQ(*ids, wanted) << one["text"];
    EXPECT_EQ(tokenizer->Decode(wanted), one["decoded"].get<std::string>()) << one["text"];
  }
}

TEST(PulledTokenizer, AgreesWithTheReferenceOfSmolLM2) {
  ExpectReferenceTokens("smollm2-135m-instruct", "tokens-smollm2.json");
}

TEST(PulledTokenizer, AgreesWithTheReferenceOfGemma3) {
  ExpectReferenceTokens("gemma-3-270m", "tokens-gemma3.json");
}

}  // namespace
}  // namespace tenon::testing
