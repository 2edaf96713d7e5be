// SPDX-License-Identifier: Apache-2.0
#include "apps/loadgen/dataset.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>

namespace tenon::apps {
namespace {

using ::testing::HasSubstr;

const std::vector<int32_t> kVocabulary = {3, 5, 8, 13};

TEST(DrawPrompts, DrawsLengthsAndIdsAsAsked) {
  DatasetOptions options;
  options.prompts = 200;
  options.input_len = 100;
  options.output_len = 10;
  options.prefix_len = 7;
  options.range_ratio = 0.5;
  const auto prompts = DrawPrompts(options, kVocabulary);
  ASSERT_TRUE(prompts.ok());
  ASSERT_EQ(prompts->size(), 200u);
  const auto [low, high] =
      std::minmax_element(prompts->begin(), prompts->end(),
                          [](const auto& a, const auto& b) { return a.ids.size() < b.ids.size(); });
  EXPECT_GE(low->ids.size(), 57u);
  EXPECT_LT(low->ids.size(), 80u);
  EXPECT_LE(high->ids.size(), 157u);
  EXPECT_GT(high->ids.size(), 130u);
  for (const Prompt& prompt : *prompts) {
    EXPECT_TRUE(std::equal(prompt.ids.begin(), prompt.ids.begin() + 7, low->ids.begin()));
    EXPECT_GE(prompt.output_tokens, 5);
    EXPECT_LE(prompt.output_tokens, 15);
    for (const int32_t id : prompt.ids) EXPECT_THAT(kVocabulary, ::testing::Contains(id));
  }
  const auto again = DrawPrompts(options, kVocabulary);
  EXPECT_EQ((*again)[5].ids, (*prompts)[5].ids);
}

TEST(DrawPrompts, RepeatsPrefixes) {
  DatasetOptions options;
  options.name = "prefix_repetition";
  options.prompts = 23;
  options.repeat_prefixes = 5;
  options.repeat_prefix_len = 20;
  options.repeat_suffix_len = 10;
  const auto prompts = DrawPrompts(options, kVocabulary);
  ASSERT_TRUE(prompts.ok());
  EXPECT_EQ(prompts->size(), 20u);
  std::map<std::vector<int32_t>, int> prefixes;
  for (const Prompt& prompt : *prompts) {
    ASSERT_EQ(prompt.ids.size(), 30u);
    ++prefixes[{prompt.ids.begin(), prompt.ids.begin() + 20}];
  }
  EXPECT_EQ(prefixes.size(), 5u);
  for (const auto& [prefix, count] : prefixes) EXPECT_EQ(count, 4);
  options.prompts = 4;
  EXPECT_EQ(DrawPrompts(options, kVocabulary).error().status, Status::kInvalid);
}

TEST(DrawPrompts, RefusesEmptyPrompts) {
  DatasetOptions options;
  options.input_len = 0;
  EXPECT_THAT(DrawPrompts(options, kVocabulary).error().message, HasSubstr("--input-len"));
}

class PromptFile : public ::testing::Test {
 protected:
  Result<std::vector<Prompt>> Read(const std::string& text, DatasetOptions options = {}) {
    const auto path = std::filesystem::path(::testing::TempDir()) / "prompts.jsonl";
    std::ofstream(path) << text;
    options.path = path;
    return ReadPrompts(options);
  }
};

TEST_F(PromptFile, ReadsEveryKindAndBeginsAgain) {
  DatasetOptions options;
  options.prompts = 4;
  const auto prompts = Read(
      "{\"prompt\": \"a\", \"output_tokens\": 5}\n\n{\"prompt\": [1, 2]}\n"
      "{\"messages\": [{\"role\": \"user\", \"content\": \"x\"}]}\n",
      options);
  ASSERT_TRUE(prompts.ok());
  ASSERT_EQ(prompts->size(), 4u);
  EXPECT_EQ((*prompts)[0].text, "a");
  EXPECT_EQ((*prompts)[0].output_tokens, 5);
  EXPECT_EQ((*prompts)[1].ids, (std::vector<int32_t>{1, 2}));
  EXPECT_EQ((*prompts)[1].output_tokens, 128);
  EXPECT_THAT((*prompts)[2].messages, HasSubstr("role"));
  EXPECT_EQ((*prompts)[3].text, "a");
}

TEST_F(PromptFile, NamesTheLineThatIsWrong) {
  for (const char* line : {"{", "[]", "{\"prompt\": 5}", "{\"prompt\": [\"a\"]}",
                           "{\"prompt\": \"\"}", "{\"prompt\": \"a\", \"output_tokens\": -1}"}) {
    const auto prompts = Read("{\"prompt\": \"fine\"}\n" + std::string(line) + "\n");
    ASSERT_FALSE(prompts.ok()) << line;
    EXPECT_THAT(prompts.error().message, HasSubstr("jsonl:2: ")) << line;
  }
  EXPECT_FALSE(Read("").ok());
}

TEST(MakeRequest, WritesWhatTheEndpointTakes) {
  BodyOptions options;
  options.model = "m";
  options.temperature = 0;
  options.ignore_eos = true;
  options.extra = "{\"top_k\": 3}";
  const auto completion = MakeRequest({{1, 2}, "", "", 7}, options);
  ASSERT_TRUE(completion.ok());
  for (const char* part :
       {"\"prompt\":[1,2]", "\"max_tokens\":7", "\"stream\":true", "\"top_k\":3",
        "\"include_usage\":true", "\"ignore_eos\":true", "\"temperature\":0.0"}) {
    EXPECT_THAT(completion->body, HasSubstr(part));
  }
  EXPECT_EQ(completion->input_tokens, 2);
  options.chat = true;
  const auto chat = MakeRequest({{}, "hi", "", 7}, options);
  ASSERT_TRUE(chat.ok());
  EXPECT_THAT(chat->body, HasSubstr("\"messages\":[{\"content\":\"hi\",\"role\":\"user\"}]"));
  EXPECT_THAT(chat->body, HasSubstr("\"max_completion_tokens\":7"));
  EXPECT_FALSE(MakeRequest({{1}, "", "", 7}, options).ok());
  options.chat = false;
  EXPECT_FALSE(MakeRequest({{}, "", "[]", 7}, options).ok());
  options.extra = "[]";
  EXPECT_FALSE(MakeRequest({{1}, "", "", 7}, options).ok());
}

}  // namespace
}  // namespace tenon::apps
