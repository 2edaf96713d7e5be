// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "models/tokenizer_source.h"
#include "models/weights/gguf.h"
#include "text/chat_template.h"
#include "text/testing/vocabularies.h"
#include "text/tokenizer.h"

// Whole vocabularies of models that `tenon pull` has stored, against the reference ids. The parts
// of them in tests/data/text are tested wherever there is no model (tokenizer_test.cc).
namespace tenon::text {
namespace {

std::string StoredModel(const std::string& name) {
  const char* home = std::getenv("TENON_HOME");
  const char* user = std::getenv("HOME");
  const std::string base =
      home != nullptr ? home : std::string(user != nullptr ? user : "") + "/.cache/tenon";
  const std::string path = base + "/models/" + name + ".gguf";
  return std::filesystem::exists(path) ? path : std::string();
}

Vocabulary VocabularyOf(const std::string& path) {
  const auto file = models::GgufFile::Open(path);
  if (!file.ok()) ADD_FAILURE() << file.error().message;
  const auto source = models::ReadTokens(file->Metadata());
  if (!source.ok()) ADD_FAILURE() << source.error().message;
  Vocabulary v;
  v.kind = source->kind;
  v.pre = source->pre;
  v.tokens.assign(source->tokens.begin(), source->tokens.end());
  v.scores = source->scores;
  for (const int32_t type : source->types) v.types.push_back(static_cast<TokenType>(type));
  v.merges.assign(source->merges.begin(), source->merges.end());
  v.bos = source->bos;
  v.eos = source->eos;
  v.eot = source->eot;
  v.unk = source->unk;
  v.pad = source->pad;
  v.more_eos = source->more_eos;
  v.add_bos = source->add_bos;
  v.add_eos = source->add_eos;
  v.add_space_prefix = source->add_space_prefix;
  v.chat_template = source->chat_template;
  return v;
}

void ExpectReference(const std::string& model, const std::string& cases, size_t vocab_size) {
  const std::string path = StoredModel(model);
  if (path.empty()) GTEST_SKIP() << model << " is not stored; tenon pull " << model;
  const auto wanted = testing::ReadSharedCases(cases);
  if (wanted.empty()) GTEST_SKIP() << "no shared reference data";
  auto made = Tokenizer::Make(VocabularyOf(path));
  ASSERT_TRUE(made.ok()) << made.error().message;
  EXPECT_EQ(static_cast<size_t>(made->vocab_size()), vocab_size);
  for (const auto& item : wanted) {
    const auto ids = made->Encode(item.text, {.parse_special = true});
    ASSERT_TRUE(ids.ok());
    EXPECT_EQ(*ids, item.ids) << item.text;
    EXPECT_EQ(made->Decode(item.ids), item.decoded);
  }
}

TEST(Reference, GivesAllIdsOfSmollm2) {
  ExpectReference("smollm2-135m-instruct", "tokens-smollm2", 49152);
}

TEST(Reference, GivesAllIdsOfGemma3) { ExpectReference("gemma-3-270m", "tokens-gemma3", 262144); }

TEST(Reference, KnowsWhatEndsSmollm2sAnswers) {
  const std::string path = StoredModel("smollm2-135m-instruct");
  if (path.empty()) GTEST_SKIP() << "smollm2-135m-instruct is not stored";
  auto made = Tokenizer::Make(VocabularyOf(path));
  ASSERT_TRUE(made.ok()) << made.error().message;
  EXPECT_TRUE(made->IsEndOfGeneration(2));
  EXPECT_EQ(made->TokenText(2), "<|im_end|>");
  EXPECT_TRUE(ChatTemplate::Parse(made->vocabulary().chat_template).ok());
}

}  // namespace
}  // namespace tenon::text
