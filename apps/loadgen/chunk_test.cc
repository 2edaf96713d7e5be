// SPDX-License-Identifier: Apache-2.0
#include "apps/loadgen/chunk.h"

#include <gtest/gtest.h>

namespace tenon::apps {
namespace {

bool IsToken(const char* json) {
  const StreamChunk chunk = ReadChunk(json);
  EXPECT_TRUE(chunk.readable) << json;
  return chunk.token;
}

TEST(ReadChunk, CountsWhatCarriesOutput) {
  EXPECT_TRUE(IsToken(R"({"choices":[{"delta":{"content":"a"},"finish_reason":null}]})"));
  EXPECT_TRUE(IsToken(R"({"choices":[{"delta":{"content":"a"},"finish_reason":"stop"}]})"));
  EXPECT_TRUE(IsToken(R"({"choices":[{"delta":{"content":""},"finish_reason":null}]})"));
  EXPECT_TRUE(IsToken(R"({"choices":[{"delta":{"tool_calls":[{}]}}]})"));
  EXPECT_TRUE(IsToken(R"({"choices":[{"delta":{"reasoning_content":"a"}}]})"));
  EXPECT_TRUE(IsToken(R"({"choices":[{"text":"a"}]})"));
  EXPECT_TRUE(IsToken(R"({"choices":[{"text":"","finish_reason":null}]})"));
}

TEST(ReadChunk, LeavesOutWhatCarriesNone) {
  EXPECT_FALSE(IsToken(R"({"choices":[{"delta":{"role":"assistant","content":""}}]})"));
  EXPECT_FALSE(IsToken(R"({"choices":[{"delta":{},"finish_reason":"stop"}]})"));
  EXPECT_FALSE(IsToken(R"({"choices":[{"delta":{"content":""},"finish_reason":"stop"}]})"));
  EXPECT_FALSE(IsToken(R"({"choices":[{"text":"","finish_reason":"length"}]})"));
  EXPECT_FALSE(IsToken(R"({"choices":[]})"));
  EXPECT_FALSE(IsToken(R"({"choices":[5,null,{}]})"));
}

TEST(ReadChunk, ReadsUsage) {
  const StreamChunk chunk = ReadChunk(
      R"({"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":9,"prompt_tokens_details":{"cached_tokens":5}}})");
  EXPECT_EQ(chunk.input_tokens, 7);
  EXPECT_EQ(chunk.output_tokens, 9);
  EXPECT_EQ(chunk.cached_tokens, 5);
  const StreamChunk none = ReadChunk(R"({"choices":[],"usage":null})");
  EXPECT_EQ(none.output_tokens, -1);
  EXPECT_EQ(ReadChunk(R"({"usage":{"prompt_tokens":"7"}})").input_tokens, -1);
}

TEST(ReadChunk, KeepsTheServersError) {
  EXPECT_EQ(ReadChunk(R"({"error":{"message":"engine\nlost"}})").error, "engine lost");
  EXPECT_EQ(ReadChunk(R"({"error":"text"})").error, "\"text\"");
}

TEST(ReadChunk, SaysWhatItCannotRead) {
  for (const char* text : {"", "[DONE]", "[1]", "{\"a\":", "null"}) {
    EXPECT_FALSE(ReadChunk(text).readable) << text;
  }
}

TEST(ErrorText, FindsTheMessageOrKeepsALine) {
  EXPECT_EQ(ErrorText(R"({"error":{"message":"too long"}})"), "too long");
  EXPECT_EQ(ErrorText("<html>\nx"), "<html> x");
  EXPECT_EQ(ErrorText(std::string(5000, 'x')).size(), 200u);
}

}  // namespace
}  // namespace tenon::apps
