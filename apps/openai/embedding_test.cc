// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "apps/openai/testing/fakes.h"

namespace tenon::apps::openai {
namespace {

using nlohmann::json;

// An engine that embeds: texts of at most 8 tokens, cut to 6 where `cut` is set.
struct Vectors {
  explicit Vectors(bool cut = false) {
    engine->facts.generates = false;
    engine->facts.embedding_columns = 3;
    engine->facts.embedding_max_tokens = 8;
    engine->facts.embedding_cut_tokens = cut ? 6 : 0;
    models.emplace(engine);
    api = MakeApi(*models, observer, {}, {});
  }
  std::shared_ptr<testing::MemorySink> Ask(const std::string& body,
                                           Endpoint endpoint = Endpoint::kEmbeddings) {
    auto sink = std::make_shared<testing::MemorySink>();
    api->Start(endpoint, body, {"r", ""}, sink);
    return sink;
  }
  std::shared_ptr<testing::ScriptedEngine> engine = std::make_shared<testing::ScriptedEngine>();
  std::optional<testing::OneModel> models;
  testing::MemoryObserver observer;
  std::unique_ptr<Api> api;
};

TEST(Embeddings, GivesVectorsAsNumbers) {
  Vectors vectors;
  const json answer = vectors.Ask(R"({"input":["abc",[1,2]],"model":"vectors"})")->Json();
  EXPECT_EQ(answer["object"], "list");
  EXPECT_EQ(answer["data"][0]["object"], "embedding");
  EXPECT_EQ(answer["data"][0]["embedding"], json::parse("[3.0,-0.5,1e-10]"));
  EXPECT_EQ(answer["data"][1]["index"], 1);
  EXPECT_EQ(answer["usage"], json({{"prompt_tokens", 5}, {"total_tokens", 5}}));
  EXPECT_EQ(vectors.api->Running(), 0);
}

TEST(Embeddings, GivesTheirBytesInBase64) {
  Vectors vectors;
  const json answer =
      vectors.Ask(R"({"input":"a","encoding_format":"base64","dimensions":3})")->Json();
  EXPECT_EQ(answer["data"][0]["embedding"], "AACAPwAAAL//5tsu");
}

TEST(Embeddings, CutsLongTextsWhereTheEngineSaysSo) {
  Vectors cut(true);
  cut.Ask(R"({"input":"0123456789"})");
  EXPECT_EQ(cut.engine->embedded.at(0).size(), 6u);
  Vectors whole;
  const auto sink = whole.Ask(R"({"input":"0123456789"})");
  ASSERT_TRUE(sink->error.has_value());
  EXPECT_EQ(sink->error->code, "context_length_exceeded");
  EXPECT_EQ(sink->error->param, "input");
}

TEST(Embeddings, AreNotWhatTextModelsDo) {
  Vectors vectors;
  const auto sink = vectors.Ask(R"({"prompt":"a","model":"vectors"})", Endpoint::kCompletions);
  EXPECT_EQ(sink->error->param, "model");
  testing::World world;
  EXPECT_EQ(world.Ask(Endpoint::kEmbeddings, R"({"input":"a","model":"bytes"})")->error->param,
            "model");
}

TEST(Tokens, ToAndFro) {
  testing::World world;
  const json tokens =
      world.Ask(Endpoint::kTokenize, R"({"prompt":"hi<|im_end|>","return_token_strs":true})")
          ->Json();
  EXPECT_EQ(tokens["tokens"], json({'h', 'i', testing::kImEnd}));
  EXPECT_EQ(tokens["count"], 3);
  EXPECT_EQ(tokens["max_model_len"], 512);
  EXPECT_EQ(tokens["token_strs"][2], "<|im_end|>");
  const json chat = world
                        .Ask(Endpoint::kTokenize,
                             R"({"messages":[{"role":"user","content":"<|im_end|>"}],
                                 "add_generation_prompt":false})")
                        ->Json();
  EXPECT_EQ(chat["count"], 18);
  const json text = world.Ask(Endpoint::kDetokenize, R"({"tokens":[104,105,258]})")->Json();
  EXPECT_EQ(text["prompt"], "hi<|im_end|>");
  EXPECT_EQ(world.Ask(Endpoint::kDetokenize, R"({"tokens":[261]})")->error->param, "tokens");
}

TEST(Models, ListsModelsAndAdapters) {
  testing::World world;
  const json list = json::parse(world.api->ModelsJson());
  EXPECT_EQ(list["object"], "list");
  ASSERT_EQ(list["data"].size(), 2u);
  EXPECT_EQ(list["data"][0]["id"], "bytes");
  EXPECT_EQ(list["data"][0]["parent"], nullptr);
  EXPECT_EQ(list["data"][1]["id"], "poet");
  EXPECT_EQ(list["data"][1]["parent"], "bytes");
  EXPECT_EQ(list["data"][1]["created"], 1700000000);
}

}  // namespace
}  // namespace tenon::apps::openai
