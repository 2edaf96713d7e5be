// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <filesystem>

#include "nlohmann/json.hpp"
#include "text/stream_decoder.h"
#include "text/testing/vocabularies.h"
#include "text/tokenizer_json/tokenizer_json.h"
#include "text/utf8.h"

// The pipelines of the model families, with small vocabularies, against what the Python package
// `tokenizers` says (tests/data/tokenizers/make.py).
namespace tenon::text {
namespace {

using nlohmann::json;

std::string Folder() { return std::string(TENON_SOURCE_DIR) + "/tests/data/tokenizers"; }

std::vector<std::string> Families() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(Folder())) {
    if (entry.is_directory()) names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

class Family : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    auto made =
        OpenTokenizerJson({.tokenizer_json = Folder() + "/" + GetParam() + "/tokenizer.json"});
    ASSERT_TRUE(made.ok()) << made.error().message;
    tokenizer_.emplace(*std::move(made));
    const auto document =
        json::parse(testing::ReadFile(Folder() + "/" + GetParam() + "/cases.json"));
    cases_ = document["cases"];
    ASSERT_GT(cases_.size(), 50u);
  }

  std::optional<Tokenizer> tokenizer_;
  json cases_;
};

TEST_P(Family, GivesTheIds) {
  for (const json& one : cases_) {
    const auto text = one["text"].get<std::string>();
    const auto ids = tokenizer_->Encode(text, {.parse_special = true});
    ASSERT_TRUE(ids.ok()) << ids.error().message;
    EXPECT_EQ(*ids, one["ids"].get<std::vector<int32_t>>()) << one["text"];
  }
}

TEST_P(Family, PutsTheTokensAround) {
  for (const json& one : cases_) {
    const auto text = one["text"].get<std::string>();
    const auto ids = tokenizer_->Encode(text, {.parse_special = true, .add_special = true});
    ASSERT_TRUE(ids.ok()) << ids.error().message;
    auto wanted = one["with_special"].get<std::vector<int32_t>>();
    // A bos that is there already is not doubled, unlike in Python.
    if (text.starts_with("<s>") && wanted.size() > 1 && wanted[0] == wanted[1]) {
      wanted.erase(wanted.begin());
    }
    EXPECT_EQ(*ids, wanted) << one["text"];
  }
}

TEST_P(Family, GivesTheText) {
  for (const json& one : cases_) {
    const auto ids = one["ids"].get<std::vector<int32_t>>();
    EXPECT_EQ(tokenizer_->Decode(ids), one["decoded"].get<std::string>()) << one["text"];
    const auto whole = one["with_special"].get<std::vector<int32_t>>();
    if (ids.empty()) continue;
    EXPECT_EQ(tokenizer_->Decode(whole, true), one["skipped"].get<std::string>()) << one["text"];
  }
}

TEST_P(Family, StreamsTheSameTextInWholeCharacters) {
  for (const json& one : cases_) {
    StreamDecoder decoder(*tokenizer_, {.skip_special = false});
    std::string text;
    for (const int32_t id : one["ids"].get<std::vector<int32_t>>()) {
      const std::string part = decoder.Push(id);
      EXPECT_EQ(ValidUtf8Prefix(part), part.size());
      text += part;
    }
    EXPECT_EQ(text + decoder.Flush(), one["decoded"].get<std::string>()) << one["text"];
  }
}

INSTANTIATE_TEST_SUITE_P(TokenizerJson, Family, ::testing::ValuesIn(Families()),
                         [](const auto& given) {
                           std::string name = given.param;
                           std::erase_if(name, [](char c) { return c == '-'; });
                           return name;
                         });

TEST(TokenizerJson, GivesAllIdsOfMiniLm) {
  const char* home = std::getenv("TENON_HOME");
  const char* user = std::getenv("HOME");
  const std::string base =
      home != nullptr ? home : std::string(user != nullptr ? user : "") + "/.cache/tenon";
  const std::string path = base + "/models/all-minilm-l6-v2/tokenizer.json";
  const auto wanted = testing::ReadSharedCases("tokens-minilm");
  if (wanted.empty()) GTEST_SKIP() << "no shared reference data";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "tenon pull all-minilm-l6-v2";
  auto made = OpenTokenizerJson({.tokenizer_json = path});
  ASSERT_TRUE(made.ok()) << made.error().message;
  EXPECT_EQ(made->vocab_size(), 30522);
  for (const auto& item : wanted) {
    const auto ids = made->Encode(item.text, {.parse_special = true});
    ASSERT_TRUE(ids.ok());
    EXPECT_EQ(*ids, item.ids) << item.text;
    EXPECT_EQ(made->Decode(item.ids), item.decoded);
  }
}

}  // namespace
}  // namespace tenon::text
