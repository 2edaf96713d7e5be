// SPDX-License-Identifier: Apache-2.0
#include "models/tokenizer_source.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "models/testing/gguf_writer.h"
#include "models/testing/tiny_llama.h"
#include "models/weights/config.h"
#include "models/weights/gguf.h"

namespace tenon::models {
namespace {

using ::testing::ElementsAre;
using testing::GgufWriter;
using ::testing::HasSubstr;

TEST(TokenizerSource, ReadsGgufKeys) {
  GgufWriter w;
  w.Text("tokenizer.ggml.model", "gpt2");
  w.Text("tokenizer.ggml.pre", "smollm");
  w.Texts("tokenizer.ggml.tokens", {"a", "b", "ab"});
  w.Array<int32_t>("tokenizer.ggml.token_type", GgufType::kI32, {3, 1, 1});
  w.Texts("tokenizer.ggml.merges", {"a b"});
  w.U32("tokenizer.ggml.bos_token_id", 1);
  w.U32("tokenizer.ggml.eos_token_id", 2);
  w.Flag("tokenizer.ggml.add_bos_token", true);
  w.Text("tokenizer.chat_template", "{{ x }}");
  const std::string bytes = w.Bytes();
  const auto file = GgufFile::Read(std::as_bytes(std::span(bytes)), "m.gguf");
  ASSERT_TRUE(file.ok());
  const auto tokens = ReadTokens(file->Metadata());
  ASSERT_TRUE(tokens.ok()) << tokens.error().message;
  EXPECT_EQ(tokens->kind, "gpt2");
  EXPECT_EQ(tokens->pre, "smollm");
  EXPECT_THAT(tokens->tokens, ElementsAre("a", "b", "ab"));
  EXPECT_THAT(tokens->types, ElementsAre(3, 1, 1));
  EXPECT_THAT(tokens->merges, ElementsAre("a b"));
  EXPECT_TRUE(tokens->scores.empty());
  EXPECT_EQ(tokens->bos, 1);
  EXPECT_EQ(tokens->eos, 2);
  EXPECT_EQ(tokens->eot, -1);
  EXPECT_TRUE(tokens->add_bos);
  EXPECT_FALSE(tokens->add_space_prefix);
  EXPECT_EQ(tokens->chat_template, "{{ x }}");
}

TEST(TokenizerSource, FollowsTheDefaultsOfSentencePiece) {
  GgufWriter w;
  w.Text("tokenizer.ggml.model", "llama");
  const std::string bytes = w.Bytes();
  const auto file = GgufFile::Read(std::as_bytes(std::span(bytes)), "m.gguf");
  ASSERT_TRUE(file.ok());
  const auto tokens = ReadTokens(file->Metadata());
  ASSERT_TRUE(tokens.ok());
  EXPECT_TRUE(tokens->add_bos);
  EXPECT_TRUE(tokens->add_space_prefix);
  EXPECT_FALSE(tokens->add_eos);
}

TEST(TokenizerSource, NamesKeysOfTheWrongType) {
  GgufWriter w;
  w.U32("tokenizer.ggml.tokens", 1);
  std::string bytes = w.Bytes();
  auto file = GgufFile::Read(std::as_bytes(std::span(bytes)), "m.gguf");
  EXPECT_THAT(ReadTokens(file->Metadata()).error().message,
              HasSubstr("\"tokenizer.ggml.tokens\" is of type u32; an array of string expected"));
  GgufWriter id;
  id.U32("tokenizer.ggml.bos_token_id", UINT32_MAX);
  bytes = id.Bytes();
  file = GgufFile::Read(std::as_bytes(std::span(bytes)), "m.gguf");
  EXPECT_THAT(ReadTokens(file->Metadata()).error().message,
              HasSubstr("tokenizer.ggml.bos_token_id is 4294967295; an integer from -1"));
}

TEST(TokenizerSource, ReadsConfigIdsAndFindsTokenizerFiles) {
  const auto folder = testing::EmptyFolder("tokens");
  testing::WriteFile(folder / "tokenizer.json", "{}");
  const auto config = ConfigFile::Parse(
      R"({"bos_token_id": 7, "eos_token_id": [1, 106], "pad_token_id": null})", "config.json");
  ASSERT_TRUE(config.ok());
  const auto tokens = ReadTokens(*config, folder.string());
  ASSERT_TRUE(tokens.ok()) << tokens.error().message;
  EXPECT_EQ(tokens->kind, "");
  EXPECT_EQ(tokens->bos, 7);
  EXPECT_EQ(tokens->eos, 1);
  EXPECT_THAT(tokens->more_eos, ElementsAre(106));
  EXPECT_EQ(tokens->pad, -1);
  EXPECT_EQ(tokens->tokenizer_json, (folder / "tokenizer.json").string());
  EXPECT_EQ(tokens->tokenizer_config_json, "");
}

TEST(TokenizerSource, TakesEndsFromGenerationConfigToo) {
  const auto folder = testing::EmptyFolder("ends");
  testing::WriteFile(folder / "generation_config.json", R"({"eos_token_id": [1, 9, 7]})");
  testing::WriteFile(folder / "chat_template.jinja", "{{ x }}");
  const auto config = ConfigFile::Parse(R"({"eos_token_id": 7})", "config.json");
  ASSERT_TRUE(config.ok());
  const auto tokens = ReadTokens(*config, folder.string());
  ASSERT_TRUE(tokens.ok()) << tokens.error().message;
  EXPECT_EQ(tokens->eos, 7);
  EXPECT_THAT(tokens->more_eos, ElementsAre(1, 9));
  EXPECT_EQ(tokens->chat_template_jinja, (folder / "chat_template.jinja").string());

  testing::WriteFile(folder / "generation_config.json", R"({"eos_token_id": "seven"})");
  EXPECT_THAT(ReadTokens(*config, folder.string()).error().message, HasSubstr("eos_token_id"));
}

}  // namespace
}  // namespace tenon::models
