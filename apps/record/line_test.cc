// SPDX-License-Identifier: Apache-2.0
#include "apps/record/line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace tenon::apps::record {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Without its "\n".
std::string TextOf(const Line& line) {
  std::string text = LineOf(line);
  EXPECT_EQ(text.back(), '\n');
  text.pop_back();
  EXPECT_EQ(text.find('\n'), std::string::npos);
  return text;
}

template <typename Kind>
Kind RoundTrip(const Kind& line) {
  auto read = ReadLine(TextOf(line));
  EXPECT_TRUE(read.ok()) << read.error().message;
  return std::get<Kind>(*read);
}

// What has been read is written so that it reads the same: the largest numbers and a negative zero
// too.
TEST(RecordLine, KeepsEveryFloat) {
  RecordedRequest request;
  request.request.prompt = {1};
  request.choices.resize(1);
  for (const float value : {0.0F, -0.0F, 1e-45F, -3.0F, 0.1F, std::numeric_limits<float>::max(),
                            std::numeric_limits<float>::lowest()}) {
    request.request.sampling.temperature = value;
    request.request.bias = {{5, value}};
    const RecordedRequest read = RoundTrip(request);
    EXPECT_EQ(read.request.sampling.temperature, value);
    EXPECT_EQ(read.request.bias[0].bias, value);
    EXPECT_EQ(TextOf(read), TextOf(request));
  }
  const auto above = ReadLine(
      R"({"request":{"prompt":[1],"n":1,"choices":[{"end":"stop"}],"bias":[[1,3.4028236e38]]}})");
  EXPECT_FALSE(above.ok());
}

TEST(RecordLine, KeepsAllOfARequest) {
  RecordedRequest request;
  request.arrival_us = 123456789012;
  request.cancel_us = 77;
  request.engine = 3;
  GenerateRequest& asked = request.request;
  asked.id = "abc\"\n";
  asked.prompt = {1, 2, 2147483647};
  asked.sampling.temperature = 0.7F;
  asked.sampling.top_k = 40;
  asked.sampling.min_p = 1e-9F;
  asked.sampling.seed = UINT64_MAX;
  asked.bias = {{5, -100}, {6, 0.1F}};
  asked.stop_tokens = {2};
  asked.max_tokens = 9;
  asked.min_tokens = 1;
  asked.logprobs = 2;
  asked.n = 2;
  asked.priority = -4;
  asked.adapter = "poet";
  asked.cache_salt = UINT64_MAX - 1;
  asked.user_text = "hello";
  request.choices.resize(2);
  request.choices[0].tokens = {4, 5, 6};
  request.choices[0].end = End::kLength;
  request.choices[0].cached_tokens = 16;
  request.choices[0].first_token_us = 1000;
  request.choices[0].last_token_us = 5000;
  request.choices[1].end = End::kError;
  request.choices[1].error = "lost";

  const RecordedRequest read = RoundTrip(request);
  EXPECT_EQ(read.arrival_us, request.arrival_us);
  EXPECT_EQ(read.cancel_us, 77);
  EXPECT_EQ(read.engine, 3);
  EXPECT_EQ(read.request.id, asked.id);
  EXPECT_EQ(read.request.prompt, asked.prompt);
  EXPECT_EQ(read.request.sampling.temperature, 0.7F);
  EXPECT_EQ(read.request.sampling.top_k, 40);
  EXPECT_EQ(read.request.sampling.min_p, 1e-9F);
  EXPECT_TRUE(std::isnan(read.request.sampling.top_p));
  EXPECT_EQ(read.request.sampling.seed, UINT64_MAX);
  ASSERT_EQ(read.request.bias.size(), 2u);
  EXPECT_EQ(read.request.bias[1].bias, 0.1F);
  EXPECT_THAT(read.request.stop_tokens, ElementsAre(2));
  EXPECT_EQ(read.request.max_tokens, 9);
  EXPECT_EQ(read.request.min_tokens, 1);
  EXPECT_EQ(read.request.logprobs, 2);
  EXPECT_EQ(read.request.priority, -4);
  EXPECT_EQ(read.request.adapter, "poet");
  EXPECT_EQ(read.request.cache_salt, UINT64_MAX - 1);
  EXPECT_EQ(read.request.user_text, "hello");
  ASSERT_EQ(read.choices.size(), 2u);
  EXPECT_THAT(read.choices[0].tokens, ElementsAre(4, 5, 6));
  EXPECT_EQ(read.choices[0].end, End::kLength);
  EXPECT_EQ(read.choices[0].cached_tokens, 16);
  EXPECT_EQ(read.choices[0].last_token_us, 5000);
  EXPECT_EQ(read.choices[1].end, End::kError);
  EXPECT_EQ(read.choices[1].error, "lost");
  EXPECT_EQ(read.choices[1].first_token_us, -1);
}

TEST(RecordLine, WhatNobodySaidStaysUnsaid) {
  RecordedRequest request;
  request.request.prompt = {1};
  request.choices.resize(1);
  const RecordedRequest read = RoundTrip(request);
  EXPECT_TRUE(std::isnan(read.request.sampling.temperature));
  EXPECT_EQ(read.request.sampling.top_k, SamplingParams::kUnset);
  EXPECT_EQ(read.cancel_us, -1);
  EXPECT_EQ(read.request.logprobs, -1);
}

TEST(RecordLine, KeepsAnEngine) {
  RecordedEngine engine;
  engine.number = 2;
  engine.model = "m";
  engine.pipeline = "p.yaml";
  engine.identity.resolved = "model: m\n";
  engine.identity.isa = "avx2";
  engine.identity.threads = 4;
  engine.identity.components = {{"quant", "native", "tenon.quant.native", "0.1", "/q.so", "ab"}};
  const RecordedEngine read = RoundTrip(engine);
  EXPECT_EQ(read.number, 2);
  EXPECT_EQ(read.identity.resolved, "model: m\n");
  EXPECT_EQ(read.identity.threads, 4);
  ASSERT_EQ(read.identity.components.size(), 1u);
  EXPECT_EQ(read.identity.components[0].sha256, "ab");
}

TEST(RecordLine, TextsThatAreNoUtf8AreStillJson) {
  RecordedRequest request;
  request.request.prompt = {1};
  request.request.user_text = "a\xff\xfe";
  request.choices.resize(1);
  EXPECT_EQ(RoundTrip(request).request.user_text, "a\xEF\xBF\xBD\xEF\xBF\xBD");
}

TEST(RecordLine, RefusesWhatItDoesNotUnderstand) {
  const struct {
    const char* text;
    const char* why;
  } cases[] = {
      {"", "no line of a recording: it is not JSON"},
      {"{", "no line of a recording: it is not JSON"},
      {"[]", "no object with one member"},
      {"{}", "no object with one member"},
      {R"({"a":1,"b":2})", "no object with one member"},
      {R"({"what":{}})", "its member is none of recording, engine, request, left_out"},
      {R"({"request":null})", "request is null"},
      {R"({"request":7})", "request is 7; an object wanted"},
      {R"({"request":{}})", "prompt has no tokens"},
      {R"({"request":{"prompt":[1]}})", "choices has 0 entries; n is 1"},
      {R"({"request":{"prompt":[-1],"choices":[{"end":"stop"}]}})", "token ids wanted"},
      {R"({"request":{"prompt":[1.5],"choices":[{"end":"stop"}]}})", "token ids wanted"},
      {R"({"request":{"prompt":[1],"n":100000,"choices":[]}})", "whole number from 1 to 4096"},
      {R"({"request":{"prompt":[1],"choices":[{"end":"never"}]}})", "end is none of"},
      {R"({"request":{"prompt":[1],"choices":[7]}})", "choices is 7; objects wanted"},
      {R"({"request":{"prompt":[1],"bias":[[1]],"choices":[{"end":"stop"}]}})", "pairs"},
      {R"({"request":{"prompt":[1],"sampling":{"seed":"x"},"choices":[{"end":"stop"}]}})", "seed"},
      {R"({"request":{"prompt":[1],"sampling":{"temperature":"hot"},"choices":[]}})",
       "temperature is a string; a number"},
      {R"({"request":{"prompt":[[[[[[[[[[1]]]]]]]]]]}})", "nested"},
      {R"({"recording":{"format":2}})", "its format is 2; this program reads 1"},
      {R"({"left_out":-1})", "left_out is -1"},
  };
  for (const auto& one : cases) {
    const auto read = ReadLine(one.text);
    ASSERT_FALSE(read.ok()) << one.text;
    EXPECT_EQ(read.error().status, Status::kInvalid);
    EXPECT_THAT(read.error().message, HasSubstr(one.why)) << one.text;
  }
}

}  // namespace
}  // namespace tenon::apps::record
