// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "apps/openai/testing/boundary_bodies.h"
#include "apps/openai/testing/fakes.h"
#include "text/testing/vocabularies.h"

namespace tenon::apps::openai {
namespace {

using testing::World;

struct Bad {
  const char* field;
  const char* value;
};

constexpr Bad kBad[] = {
    {"model", "7"},
    {"max_tokens", "0"},
    {"max_tokens", "-1"},
    {"max_tokens", "\"5\""},
    {"max_tokens", "2.5"},
    {"max_tokens", "true"},
    {"max_tokens", "9223372036854775808"},
    {"max_tokens", "513"},
    {"max_completion_tokens", "0"},
    {"temperature", "-0.1"},
    {"temperature", "NaN"},
    {"temperature", "1e999"},
    {"temperature", "\"hot\""},
    {"top_p", "1.5"},
    {"min_p", "-1"},
    {"top_k", "-2"},
    {"repetition_penalty", "0"},
    {"presence_penalty", "2.1"},
    {"frequency_penalty", "-2.1"},
    {"n", "0"},
    {"n", "65"},
    {"seed", "18446744073709551616"},
    {"seed", "\"1\""},
    {"stop", "7"},
    {"stop", "[1]"},
    {"stop", "\"\""},
    {"stop", R"(["1","2","3","4","5","6","7","8","9","a","b","c","d","e","f","g","h"])"},
    {"stream", "1"},
    {"stream_options", "{\"include_usage\":true}"},
    {"logit_bias", "[]"},
    {"logit_bias", "{\"x\":1}"},
    {"logit_bias", "{\"-1\":1}"},
    {"logit_bias", "{\"1\":101}"},
    {"logit_bias", "{\"261\":1}"},
    {"min_tokens", "-1"},
    {"min_tokens", "513"},
    {"stop_token_ids", "[-1]"},
    {"stop_token_ids", "[261]"},
    {"stop_token_ids", "[1.5]"},
    {"ignore_eos", "\"yes\""},
    {"priority", "2147483648"},
    {"cache_salt", "{}"},
    {"user", "[]"},
    {"response_format", "{\"type\":\"json_object\"}"},
    {"response_format", "{\"type\":\"xml\"}"},
    {"response_format", "\"text\""},
    {"structured_outputs", "{\"regex\":\"a\"}"},
    {"tools", R"([{"type":"function","function":{"name":"f"}}])"},
    {"tool_choice", "\"required\""},
    {"tool_choice", "{\"type\":\"function\"}"},
    {"chat_template", "\"{{ 1 }}\""},
};

TEST(Request, NamesTheFieldThatIsBad) {
  World world;
  for (const Bad& bad : kBad) {
    const std::string more = std::string("\"") + bad.field + "\":" + bad.value;
    for (const auto& sink : {world.Chat(more), world.Completion(more)}) {
      ASSERT_TRUE(sink->error.has_value()) << more;
      EXPECT_EQ(sink->error->status, 400) << more;
      EXPECT_EQ(sink->error->param.substr(0, sink->error->param.find('.')), bad.field)
          << more << ": " << sink->error->message;
      EXPECT_TRUE(nlohmann::json::accept(sink->error->Json()));
    }
  }
  EXPECT_TRUE(world.engine->started.empty());
  EXPECT_EQ(world.api->Running(), 0);
}

TEST(Request, NamesWhatItLacks) {
  World world;
  EXPECT_THAT(
      world.Chat(R"("response_format":{"type":"json_schema","json_schema":{}})")->error->message,
      ::testing::HasSubstr("constraint"));
  EXPECT_FALSE(world.Chat(R"("response_format":{"type":"text"},"tools":[],"tool_choice":"none")")
                   ->error.has_value());
}

TEST(Request, RefusesWhatDoesNotFitTheContext) {
  World world;
  const auto sink = world.Chat(R"("max_tokens":492)");
  ASSERT_TRUE(sink->error.has_value());
  EXPECT_EQ(sink->error->code, "context_length_exceeded");
  EXPECT_THAT(sink->error->message,
              ::testing::HasSubstr("maximum context length is 512 tokens. However, you requested "
                                   "513 tokens (21 in the messages, 492 in the completion)"));
  world.engine->facts.block_tokens = 16;
  EXPECT_FALSE(world.Chat(R"("max_tokens":491)")->error.has_value());
  const auto long_prompt =
      world.Ask(Endpoint::kCompletions, "{\"prompt\":\"" + std::string(512, 'a') + "\"}");
  EXPECT_EQ(long_prompt->error->param, "prompt");
}

TEST(Request, IgnoresUnknownFieldsAndTellsEachOnce) {
  World world;
  EXPECT_FALSE(world.Chat(R"("metadata":{"a":1},"store":true)")->error.has_value());
  EXPECT_FALSE(world.Chat(R"("store":false)")->error.has_value());
  EXPECT_THAT(world.observer.unknown, ::testing::ElementsAre("metadata", "store"));
}

TEST(Request, ReadsWhatTheEngineIsTold) {
  World world;
  world.Chat(R"("temperature":0.5,"top_p":0.75,"top_k":-1,"min_p":0.25,"presence_penalty":1,
      "frequency_penalty":-1,"repetition_penalty":1.5,"logit_bias":{"97":-100},"seed":-1,
      "stop_token_ids":[10],"min_tokens":2,"priority":3,"model":"poet","max_tokens":null)");
  ASSERT_EQ(world.engine->started.size(), 1u);
  const GenerateRequest& request = world.engine->started[0].request;
  EXPECT_EQ(request.sampling.temperature, 0.5f);
  EXPECT_EQ(request.sampling.top_p, 0.75f);
  EXPECT_EQ(request.sampling.top_k, 0);
  EXPECT_EQ(request.sampling.min_p, 0.25f);
  EXPECT_EQ(request.sampling.presence_penalty, 1.0f);
  EXPECT_EQ(request.sampling.frequency_penalty, -1.0f);
  EXPECT_EQ(request.sampling.repetition_penalty, 1.5f);
  EXPECT_EQ(request.sampling.seed, UINT64_MAX);
  ASSERT_EQ(request.bias.size(), 1u);
  EXPECT_EQ(request.bias[0].token, 97);
  EXPECT_EQ(request.bias[0].bias, -100.0f);
  EXPECT_THAT(request.stop_tokens, ::testing::ElementsAre(10, testing::kImEnd));
  EXPECT_EQ(request.min_tokens, 2);
  EXPECT_EQ(request.priority, 3);
  EXPECT_EQ(request.adapter, "poet");
  EXPECT_EQ(request.max_tokens, 512 - 21);
  world.Chat("\"ignore_eos\":true");
  EXPECT_TRUE(world.engine->started[1].request.stop_tokens.empty());
}

TEST(Request, ReadsMessagesInTheirForms) {
  World world;
  const auto good = world.Ask(Endpoint::kChat, R"({"messages":[
      {"role":"developer","content":"D"},
      {"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]},
      {"role":"assistant","content":null,"tool_calls":[{"id":"1","type":"function",
        "function":{"name":"f","arguments":"{\"x\":1}"}}]},
      {"role":"tool","tool_call_id":"1","content":"4"}]})");
  EXPECT_FALSE(good->error.has_value()) << good->error->message;
  const char* bad[] = {
      "[]",
      "\"hi\"",
      "[1]",
      "[{}]",
      R"([{"role":"user"}])",
      R"([{"role":"king","content":"x"}])",
      R"([{"role":"user","content":1}])",
      R"([{"role":"user","content":[{"type":"image_url"}]}])",
      R"([{"role":"user","content":[{"type":"text"}]}])",
      R"([{"role":"assistant","tool_calls":[{}]}])",
      R"([{"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":"{"}}]}])",
      R"([{"role":"user","content":"x","name":7}])"};
  for (const char* messages : bad) {
    const auto sink = world.Ask(Endpoint::kChat, std::string("{\"messages\":") + messages + "}");
    ASSERT_TRUE(sink->error.has_value()) << messages;
    EXPECT_EQ(sink->error->param, "messages") << messages;
  }
}

TEST(Request, ReadsBodiesStrictly) {
  World world;
  struct {
    std::string body;
    const char* param;
  } const cases[] = {
      {"", "body"},
      {"[]", "body"},
      {"{\"prompt\":\"a\"", "body"},
      {"{\"prompt\":\"\xFF\"}", "prompt"},
      {"{\"prompt\":\"\\ud800\"}", "prompt"},
      {R"({"prompt":"a","prompt":"b"})", "prompt"},
      {R"({"prompt":"a","n":1,"metadata":{"x":1,"x":2}})", "metadata"},
      {"{\"prompt\":" + std::string(64, '[') + std::string(64, ']') + "}", "prompt"},
      {"{\"x\":" + std::string(100000, '['), "x"},
  };
  for (const auto& one : cases) {
    const auto sink = world.Ask(Endpoint::kCompletions, one.body);
    ASSERT_TRUE(sink->error.has_value()) << one.body.substr(0, 80);
    EXPECT_EQ(sink->error->status, 400);
    EXPECT_EQ(sink->error->param, one.param) << one.body.substr(0, 80);
  }
}

// A name that is cut to be shown is cut between characters.
TEST(Requests, ErrorsAreJsonWhateverTheNamesOfFields) {
  World world;
  for (size_t at = 0; at < 4; ++at) {
    std::string name(at, 'x');
    for (int i = 0; i < 60; ++i) name += "\xd1\x9d\xe2\x82\xac";
    const auto sink = world.Ask(Endpoint::kCompletions, "{\"" + name + "\": [}");
    ASSERT_TRUE(sink->error.has_value());
    EXPECT_TRUE(nlohmann::json::accept(sink->error->Json())) << at;
  }
}

// Bodies at the borders of what is allowed and beyond, TENON_BOUNDARY_BODIES of them an endpoint.
class Boundary : public ::testing::TestWithParam<Endpoint> {};

TEST_P(Boundary, IsAnsweredOrRefusedByField) {
  const int count = testing::BoundaryCount(3000);
  World world;
  world.engine->answers_at_once = true;
  testing::ScriptedEngine& engine = *world.engine;
  auto vectors = std::make_shared<testing::ScriptedEngine>();
  vectors->facts.generates = false;
  vectors->facts.embedding_max_tokens = 512;
  const testing::OneModel embedding(vectors);
  const auto embeds = MakeApi(embedding, world.observer, {}, {});
  Api& api = GetParam() == Endpoint::kEmbeddings ? *embeds : *world.api;
  text::testing::Random random(11);
  for (int i = 0; i < count; ++i) {
    const auto [body, field] = testing::NextBoundaryBody(GetParam(), random);
    auto sink = std::make_shared<testing::MemorySink>();
    api.Start(GetParam(), body, {"r", "t"}, sink);
    ASSERT_TRUE(sink->done()) << body.substr(0, 300);
    engine.started.clear();
    if (!sink->error) continue;
    const ApiError& error = *sink->error;
    ASSERT_TRUE(error.status == 400 || error.status == 404) << error.message;
    ASSERT_FALSE(error.param.empty()) << body.substr(0, 300);
    ASSERT_EQ(nlohmann::json::parse(error.Json())["error"]["param"], error.param);
    if (field.empty() || error.code == "context_length_exceeded") continue;
    EXPECT_EQ(error.param.substr(0, error.param.find('.')), field) << body.substr(0, 300);
  }
  EXPECT_EQ(api.Running(), 0);
  EXPECT_EQ(api.Waiting(), 0);
}

INSTANTIATE_TEST_SUITE_P(Request, Boundary,
                         ::testing::Values(Endpoint::kChat, Endpoint::kCompletions,
                                           Endpoint::kEmbeddings, Endpoint::kTokenize,
                                           Endpoint::kDetokenize));

}  // namespace
}  // namespace tenon::apps::openai
