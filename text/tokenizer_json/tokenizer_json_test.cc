// SPDX-License-Identifier: Apache-2.0
#include "text/tokenizer_json/tokenizer_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "nlohmann/json.hpp"
#include "text/stream_decoder.h"
#include "text/testing/vocabularies.h"

namespace tenon::text {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Letters a to d, "ab", "abc", and <s>, </s>, <u>.
json Small() {
  return json::parse(R"({
    "version": "1.0", "truncation": null, "padding": null,
    "added_tokens": [
      {"id": 6, "content": "<s>", "single_word": false, "lstrip": false, "rstrip": false,
       "normalized": false, "special": true},
      {"id": 7, "content": "</s>", "special": true, "normalized": false},
      {"id": 8, "content": "<u>", "special": false, "normalized": false}],
    "normalizer": null, "pre_tokenizer": null, "post_processor": null, "decoder": {"type": "Fuse"},
    "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "c": 2, "d": 3, "ab": 4, "abc": 5},
              "merges": ["a b", ["ab", "c"]]}})");
}

Result<Tokenizer> Parse(const json& file, const std::string& config = "",
                        const TokenizerFiles& files = {}) {
  return ParseTokenizerJson(file.dump(), config, "t.json", files);
}

std::vector<int32_t> Ids(const Tokenizer& tokenizer, std::string_view text,
                         EncodeOptions options = {.parse_special = true}) {
  const auto ids = tokenizer.Encode(text, options);
  EXPECT_TRUE(ids.ok()) << ids.error().message;
  return ids.ok() ? *ids : std::vector<int32_t>();
}

std::string Refusal(const json& file, const std::string& config = "") {
  const auto made = Parse(file, config);
  return made.ok() ? "accepted" : made.error().message;
}

TEST(TokenizerJson, MergesAndKnowsItsTokens) {
  const auto t = Parse(Small());
  ASSERT_TRUE(t.ok()) << t.error().message;
  EXPECT_THAT(Ids(*t, "abcdab"), ElementsAre(5, 3, 4));
  EXPECT_THAT(Ids(*t, "<s>ab<u></s>"), ElementsAre(6, 4, 8, 7));
  EXPECT_TRUE(t->IsSpecial(6));
  EXPECT_FALSE(t->IsSpecial(8));
  EXPECT_EQ(t->Decode(Ids(*t, "<s>ab<u>"), true), "ab<u>");
}

TEST(TokenizerJson, LetsNobodyForgeSpecialTokens) {
  json file = Small();
  file["model"] = json::parse(R"({"type": "Unigram", "unk_id": 0, "vocab": [["?", 0], ["<", -1],
      ["s", -1], [">", -1], ["/", -1], ["a", -1], ["<s>", -0.5], ["</s>", -0.5]]})");
  const auto t = Parse(file);
  ASSERT_TRUE(t.ok()) << t.error().message;
  EXPECT_THAT(Ids(*t, "a<s>"), ElementsAre(5, 6));
  EXPECT_THAT(Ids(*t, "a<s>", {}), ElementsAre(5, 1, 2, 3));
  EXPECT_THAT(Ids(*t, "<u>", {}), ElementsAre(8));
}

TEST(TokenizerJson, NamesWhatItDoesNotUnderstand) {
  const auto with = [](const char* key, const char* value) {
    json file = Small();
    file[key] = json::parse(value);
    return Refusal(file);
  };
  EXPECT_THAT(with("future", "1"), HasSubstr("t.json: key \"future\" is not understood"));
  EXPECT_THAT(with("normalizer", R"({"type": "Upper"})"),
              HasSubstr("t.json: normalizer: type \"Upper\" is not supported; these are: Bert"));
  EXPECT_THAT(with("normalizer", R"({"type": "NFC", "strength": 2})"), HasSubstr("\"strength\""));
  EXPECT_THAT(with("pre_tokenizer", R"({"type": "Sequence", "pretokenizers": [{"type": "Thai"}]})"),
              HasSubstr("pre_tokenizer.pretokenizers[0]: type \"Thai\""));
  EXPECT_THAT(with("pre_tokenizer",
                   R"x({"type": "Split", "pattern": {"Regex": "(?~a)"}, "behavior": "Isolated"})x"),
              HasSubstr("pre_tokenizer.pattern: pattern, at byte 0"));
  EXPECT_THAT(with("decoder", R"({"type": "CTC"})"), HasSubstr("decoder: type \"CTC\""));
  EXPECT_THAT(with("model", R"({"type": "WordLevel"})"), HasSubstr("BPE, Unigram, WordPiece"));
  EXPECT_THAT(with("post_processor", R"({"type": "Pair"})"), HasSubstr("TemplateProcessing"));
}

TEST(TokenizerJson, RefusesDamage) {
  const auto with = [](const char* pointer, const json& value) {
    json file = Small();
    file[json::json_pointer(pointer)] = value;
    return Refusal(file);
  };
  EXPECT_THAT(with("/model/vocab/a", -1), HasSubstr("token \"a\" has id -1"));
  EXPECT_THAT(with("/model/vocab/a", 1 << 30), HasSubstr("has id -1; 0 to 1048575 allowed"));
  EXPECT_THAT(with("/model/vocab/a", 1), HasSubstr("both have id 1"));
  EXPECT_THAT(with("/model/merges/0", "a x"), HasSubstr("not in the vocabulary"));
  EXPECT_THAT(with("/model/merges/0", "ab"), HasSubstr("model.merges[0]"));
  EXPECT_THAT(with("/model/merges/0", json::array({"a"})), HasSubstr("model.merges[0]"));
  EXPECT_THAT(with("/model/dropout", 0.5), HasSubstr("null or 0"));
  EXPECT_THAT(with("/model/unk_token", "?"), HasSubstr("a token of the vocabulary"));
  EXPECT_THAT(with("/added_tokens/0/id", 7), HasSubstr("id 7 is there twice"));
  EXPECT_THAT(with("/added_tokens/0/id", 0), HasSubstr("token 0 is \"a\" in the model"));
  EXPECT_THAT(with("/added_tokens/0/content", "a"), HasSubstr("are both \"a\""));
  EXPECT_THAT(with("/added_tokens/0/content", ""), HasSubstr("1 to 4096 bytes"));
  EXPECT_THAT(with("/added_tokens/0/special", 1), HasSubstr("true or false expected"));
  EXPECT_THAT(Refusal(json::array()), HasSubstr("an object expected"));
  EXPECT_EQ(with("/model/vocab/e", 500), "accepted") << "numbers may be left out";
}

TEST(TokenizerJson, BoundsTheDocument) {
  const auto refusal = [](const std::string& text) {
    const auto made = ParseTokenizerJson(text, "", "t.json");
    return made.ok() ? "accepted" : made.error().message;
  };
  EXPECT_THAT(refusal(""), HasSubstr("t.json: not JSON"));
  EXPECT_THAT(refusal("{\"a\": 1, \"a\": 2}"), HasSubstr("key \"a\" is there twice"));
  EXPECT_THAT(refusal(std::string(1 << 20, '[')), HasSubstr("nested more than 64 deep"));
  std::string many = "[0";
  for (int i = 0; i < 1 << 22; ++i) many += ",0";
  EXPECT_THAT(refusal(many + "]"), HasSubstr("more than 4194304 values"));
  EXPECT_THAT(refusal(std::string((64 << 20) + 1, ' ')), HasSubstr("at most 67108864 allowed"));
}

TEST(TokenizerJson, TakesWhatTokenizerConfigSays) {
  const auto t = Parse(Small(), R"({"bos_token": "<s>", "eos_token": {"content": "</s>",
      "lstrip": false}, "add_bos_token": true, "tokenizer_class": "X", "chat_template": [
      {"name": "tools", "template": "no"}, {"name": "default", "template": "yes"}],
      "added_tokens_decoder": {"9": {"content": "<new>", "special": true}}})",
                       {.eos = 8, .more_eos = {3}});
  ASSERT_TRUE(t.ok()) << t.error().message;
  EXPECT_EQ(t->vocabulary().chat_template, "yes");
  EXPECT_EQ(t->vocabulary().bos, 6);
  EXPECT_EQ(t->vocabulary().eos, 7);
  EXPECT_THAT(t->EndOfGeneration(), ElementsAre(3, 7, 8));
  EXPECT_EQ(t->TokenText(9), "<new>");
  EXPECT_THAT(Ids(*t, "ab", {.add_special = true}), ElementsAre(6, 4));
  EXPECT_THAT(Ids(*t, "<s>ab", {.parse_special = true, .add_special = true}), ElementsAre(6, 4));
}

TEST(TokenizerJson, RefusesAConfigThatContradicts) {
  EXPECT_THAT(Refusal(Small(), R"({"bos_token": "<x>"})"), HasSubstr("\"<x>\", which is no token"));
  EXPECT_THAT(Refusal(Small(), R"({"add_bos_token": true})"), HasSubstr("no such token"));
  EXPECT_THAT(Refusal(Small(), R"({"add_bos_token": 1})"), HasSubstr("true or false"));
  EXPECT_THAT(Refusal(Small(), R"({"added_tokens_decoder": {"2": {"content": "<s>"}}})"),
              HasSubstr("has id 6, but tokenizer_config.json gives"));
  EXPECT_THAT(Refusal(Small(), R"({"chat_template": [{"name": "a", "template": "b"}]})"),
              HasSubstr("none of the templates is named default; there are: a"));
}

TEST(TokenizerJson, TurnsTheBosOfThePostProcessorOff) {
  json file = Small();
  file["post_processor"] = json::parse(R"({"type": "TemplateProcessing",
      "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A"}}],
      "pair": [], "special_tokens": {"<s>": {"id": "<s>", "ids": [6], "tokens": ["<s>"]}}})");
  const auto on = Parse(file);
  ASSERT_TRUE(on.ok()) << on.error().message;
  EXPECT_THAT(Ids(*on, "a", {.add_special = true}), ElementsAre(6, 0));
  const auto off = Parse(file, R"({"bos_token": "<s>", "add_bos_token": false})");
  ASSERT_TRUE(off.ok()) << off.error().message;
  EXPECT_THAT(Ids(*off, "a", {.add_special = true}), ElementsAre(0));
  file["post_processor"]["special_tokens"]["<s>"]["ids"][0] = 99;
  EXPECT_THAT(Refusal(file), HasSubstr("an id below 9 expected"));
}

TEST(TokenizerJson, CleansUpSpacesOfWordPiecesOnly) {
  json file = Small();
  file["decoder"] = nullptr;
  const char* config = R"({"clean_up_tokenization_spaces": true})";
  file["model"] = json::parse(R"({"type": "WordPiece", "unk_token": "?",
      "vocab": {"?": 0, ".": 1, "a": 2, "##b": 3, "n't": 4, "'": 5}})");
  const auto t = Parse(file, config);
  ASSERT_TRUE(t.ok()) << t.error().message;
  EXPECT_EQ(t->Decode(std::vector<int32_t>{2, 1, 2, 4, 2, 5, 2}), "a. an't a'a");
  json bpe = Small();
  bpe["decoder"] = nullptr;
  bpe["model"]["vocab"]["."] = 9;
  const auto plain = Parse(bpe, config);
  ASSERT_TRUE(plain.ok());
  EXPECT_EQ(plain->Decode(std::vector<int32_t>{0, 9}), "a .");
}

TEST(TokenizerJson, StreamsAContinuationWithItsSpace) {
  json file = Small();
  file["decoder"] = json::parse(R"({"type": "Sequence", "decoders": [
      {"type": "Replace", "pattern": {"String": "b"}, "content": " "}, {"type": "ByteFallback"},
      {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]})");
  file["model"]["vocab"].update({{"<0xC3>", 9}, {"<0xA9>", 10}});
  const auto t = Parse(file);
  ASSERT_TRUE(t.ok()) << t.error().message;
  EXPECT_EQ(t->Decode(std::vector<int32_t>{1, 0, 1, 9, 10}), "a \xC3\xA9");
  StreamDecoder decoder(*t, {.starts_text = false});
  EXPECT_EQ(decoder.Push(1), " ");
  EXPECT_EQ(decoder.Push(9), "");
  EXPECT_EQ(decoder.Push(10), "\xC3\xA9");
  EXPECT_EQ(decoder.Push(9), "");
  EXPECT_EQ(decoder.Flush(), "\xEF\xBF\xBD");
}

TEST(TokenizerJson, StopsTextThatGrowsWithoutEnd) {
  json file = Small();
  const json grow = json::parse(R"({"type": "Replace", "pattern": {"String": "a"}})");
  json steps = json::array();
  for (int i = 0; i < 8; ++i) {
    steps.push_back(grow);
    steps.back()["content"] = std::string(200, 'a');
  }
  file["normalizer"] = {{"type", "Sequence"}, {"normalizers", steps}};
  const auto t = Parse(file);
  ASSERT_TRUE(t.ok()) << t.error().message;
  EXPECT_THAT(t->Encode("aaaa").error().message, HasSubstr("grows beyond"));
}

TEST(TokenizerJson, ReadsWhatIsNotUtf8AsReplacement) {
  json file = Small();
  file["model"]["vocab"]["\xEF\xBF\xBD"] = 9;
  const auto t = Parse(file);
  ASSERT_TRUE(t.ok());
  EXPECT_THAT(Ids(*t,
                  "ab\xFF"
                  "c"),
              ElementsAre(4, 9, 2));
}

TEST(TokenizerJson, NeedsLittleStack) {
  testing::OnSmallStack(
      [](void*) {
        for (const char* name : {"bert", "gpt-oss", "llama2", "t5", "gpt1"}) {
          const auto t = OpenTokenizerJson({.tokenizer_json = std::string(TENON_SOURCE_DIR) +
                                                              "/tests/data/tokenizers/" + name +
                                                              "/tokenizer.json"});
          ASSERT_TRUE(t.ok()) << t.error().message;
          for (const char* unit : {"a", " ", "\n", "\xCC\x81", "\xE4\xB8\xAD", "<", "1"}) {
            std::string text;
            while (text.size() < 200'000) text += unit;
            const auto ids = t->Encode(text, {.parse_special = true});
            ASSERT_TRUE(ids.ok()) << ids.error().message;
            (void)t->Decode(*ids);
          }
        }
      },
      nullptr);
}

}  // namespace
}  // namespace tenon::text
