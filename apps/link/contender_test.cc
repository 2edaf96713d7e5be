// SPDX-License-Identifier: Apache-2.0
#include "apps/link/contender.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "apps/openai/testing/fakes.h"
#include "text/testing/vocabularies.h"

namespace tenon::apps::link {
namespace {

using ::testing::HasSubstr;

openai::ServedModel Model() {
  openai::ServedModel model;
  model.facts.pipeline = "a.yaml";
  model.facts.vocabulary = 261;
  model.facts.max_context = 512;
  model.facts.block_tokens = 16;
  model.facts.total_blocks = 100;
  model.facts.adapters = {"poet"};
  model.text = openai::testing::ByteText();
  return model;
}

TEST(CanTakeOver, TakesWhatIsAlike) {
  openai::ServedModel b = Model();
  b.facts.max_context = 1024;
  b.facts.adapters = {"other", "poet"};
  EXPECT_TRUE(CanTakeOver(Model(), b).ok());
}

TEST(CanTakeOver, SaysAllThatDiffers) {
  openai::ServedModel b = Model();
  b.facts.pipeline = "b.yaml";
  b.facts.vocabulary = 300;
  b.facts.adapters = {"other"};
  b.facts.total_blocks = 10;
  const auto fits = CanTakeOver(Model(), b);
  ASSERT_FALSE(fits.ok());
  EXPECT_EQ(
      fits.error().message,
      "b.yaml: cannot take requests made for a.yaml: its vocabulary has 300 tokens instead of "
      "261; it has no adapter \"poet\"; its sequences hold 160 tokens instead of 512 (memory: "
      "context_tokens, kv_tokens)");
}

TEST(CanTakeOver, RefusesAVocabularyOfOtherTokens) {
  // As ByteText has it, but for two bytes.
  text::Vocabulary vocabulary = text::testing::ByteVocabulary({{"\x01", "\x02"}});
  std::swap(vocabulary.tokens[70], vocabulary.tokens[71]);
  auto tokenizer = text::Tokenizer::Make(std::move(vocabulary));
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.error().message;
  openai::ServedModel b = Model();
  b.text = std::shared_ptr<const openai::ModelText>(
      new openai::ModelText{*std::move(tokenizer), std::nullopt, {}});
  EXPECT_THAT(CanTakeOver(Model(), b).error().message, HasSubstr("token 70 is another one"));
}

TEST(CanTakeOver, RefusesEmbeddings) {
  openai::ServedModel b = Model();
  b.facts.generates = false;
  EXPECT_THAT(CanTakeOver(Model(), b).error().message, HasSubstr("one embeds"));
}

}  // namespace
}  // namespace tenon::apps::link
