// SPDX-License-Identifier: Apache-2.0
#include "text/sentencepiece_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "text/character_map.h"
#include "text/sentencepiece_file.h"
#include "text/stream_decoder.h"
#include "text/testing/vocabularies.h"

namespace tenon::text {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const std::string kFolder = std::string(TENON_SOURCE_DIR) + "/tests/data/sentencepiece/";

std::string Model(const std::string& name) { return testing::ReadFile(kFolder + name + ".model"); }

Tokenizer Made(const std::string& name) {
  auto made = OpenSentencePiece({.model = kFolder + name + ".model"});
  if (!made.ok()) ADD_FAILURE() << made.error().message;
  return *std::move(made);
}

// tests/data/sentencepiece/make_models.py: the Python package's answers.
TEST(SentencePieceModel, GivesTheReferenceIdsAndTexts) {
  const auto models = nlohmann::json::parse(testing::ReadFile(kFolder + "cases.json"));
  ASSERT_EQ(models.size(), 4u);
  for (const auto& wanted : models) {
    const std::string name = wanted["model"];
    const Tokenizer t = Made(name);
    EXPECT_EQ(t.vocab_size(), wanted["vocab_size"]);
    EXPECT_EQ(t.vocabulary().unk, wanted["unk"]);
    EXPECT_EQ(t.vocabulary().bos, wanted["bos"]);
    EXPECT_EQ(t.vocabulary().eos, wanted["eos"]);
    EXPECT_EQ(t.vocabulary().pad, wanted["pad"]);
    for (const auto& item : wanted["cases"]) {
      const auto ids = item["ids"].get<std::vector<int32_t>>();
      const auto encoded = t.Encode(item["text"].get<std::string>());
      ASSERT_TRUE(encoded.ok()) << encoded.error().message;
      EXPECT_EQ(*encoded, ids) << name << ": " << item["text"];
      EXPECT_EQ(t.Decode(ids), item["decoded"]) << name << ": " << item["text"];
      StreamDecoder stream(t, {.skip_special = false});
      std::string streamed;
      for (const int32_t id : ids) streamed += stream.Push(id);
      EXPECT_EQ(streamed + stream.Flush(), item["decoded"]) << name << ": " << item["text"];
    }
    for (const auto& item : wanted["odd"]) {
      EXPECT_EQ(t.Decode(item["ids"].get<std::vector<int32_t>>()), item["decoded"]) << name;
    }
  }
}

TEST(SentencePieceModel, FindsControlTokensOnlyWhereAsked) {
  const Tokenizer t = Made("unigram-rules");
  const int32_t sep = t.Find("<sep>");
  ASSERT_GE(sep, 0);
  auto wanted = *t.Encode("game");
  wanted.push_back(sep);
  const auto second = *t.Encode("in Japan");
  wanted.insert(wanted.end(), second.begin(), second.end());
  EXPECT_EQ(*t.Encode("game<sep>in Japan", {.parse_special = true}), wanted);
  EXPECT_THAT(*t.Encode("game<sep>in Japan"), ::testing::Not(::testing::Contains(sep)));
  EXPECT_EQ(t.Decode(wanted), "game<sep> in Japan");
  EXPECT_EQ(t.Decode(wanted, true), "game in Japan");
}

TEST(SentencePieceModel, PutsBosBeforeAPrompt) {
  const Tokenizer t = Made("bpe-bytes");
  auto wanted = *t.Encode("game");
  wanted.insert(wanted.begin(), t.vocabulary().bos);
  EXPECT_EQ(*t.Encode("game", {.add_special = true}), wanted);
  EXPECT_TRUE(t.IsEndOfGeneration(t.vocabulary().eos));
}

TEST(SentencePieceModel, TakesWhatTokenizerConfigAdds) {
  const std::string path = ::testing::TempDir() + "/tokenizer_config.json";
  std::ofstream(path)
      << R"({"add_bos_token": false, "add_eos_token": true, "chat_template": "{{x}}",
    "added_tokens_decoder": {"300": {"content": "<|im_start|>", "special": true, "lstrip": false,
      "rstrip": false, "normalized": false, "single_word": false}}})";
  auto made = OpenSentencePiece(
      {.model = kFolder + "bpe-plain.model", .tokenizer_config_json = path, .more_eos = {5}});
  ASSERT_TRUE(made.ok()) << made.error().message;
  EXPECT_EQ(made->vocab_size(), 301);
  EXPECT_EQ(made->vocabulary().chat_template, "{{x}}");
  EXPECT_THAT(*made->Encode("<|im_start|>", {.parse_special = true, .add_special = true}),
              ElementsAre(300, made->vocabulary().eos));
  EXPECT_EQ(made->Decode(std::vector<int32_t>{300}), "<|im_start|>");
  EXPECT_TRUE(made->IsEndOfGeneration(5));
}

TEST(SentencePieceModel, RefusesTextBeyondItsLimit) {
  const auto ids = Made("bpe-plain").Encode(std::string(kMaxSentencePieceTextBytes + 1, 'a'));
  ASSERT_FALSE(ids.ok());
  EXPECT_THAT(ids.error().message, HasSubstr("8388608 allowed"));
}

TEST(SentencePieceModel, RefusesWhatIsNoModel) {
  const auto refusal = [](std::string_view bytes) {
    const auto made = ParseSentencePiece(bytes, "x.model");
    return made.ok() ? "accepted" : made.error().message;
  };
  EXPECT_THAT(refusal(""), HasSubstr("x.model: not a SentencePiece model"));
  EXPECT_THAT(refusal("GGUF"), HasSubstr("x.model: "));
  EXPECT_THAT(refusal("{\"model\": 1}"), HasSubstr("x.model: "));
  // A piece that is empty, with a zero byte, not UTF-8, with a score that is none, of type 9.
  EXPECT_THAT(refusal(std::string_view("\x0A\x02\x0A\x00", 4)), HasSubstr("0 bytes, 1 to 4096"));
  EXPECT_THAT(refusal(std::string_view("\x0A\x03\x0A\x01\x00", 5)), HasSubstr("zero bytes"));
  EXPECT_THAT(refusal("\x0A\x03\x0A\x01\xFF"), HasSubstr("is not UTF-8"));
  EXPECT_THAT(refusal(std::string_view("\x0A\x08\x0A\x01"
                                       "a\x15\x00\x00\xC0\x7F",
                                       10)),
              HasSubstr("the score of piece 0 is not a finite number"));
  EXPECT_THAT(refusal("\x0A\x05\x0A\x01"
                      "a\x18\x09"),
              HasSubstr("type 9, 1 to 6 allowed"));
  // No unknown piece: the library's own refusal.
  EXPECT_THAT(refusal("\x0A\x03\x0A\x01"
                      "a"),
              HasSubstr("x.model: "));
  EXPECT_THAT(refusal(Model("bpe-plain") + "\x12\x02\x18\x03"), HasSubstr("model type 3"));
  EXPECT_FALSE(OpenSentencePiece({.model = kFolder + "missing.model"}).ok());
}

TEST(SentencePieceModel, SurvivesDamagedFiles) {
  testing::Random random(11);
  int refused = 0;
  for (const char* name : {"bpe-bytes", "unigram-rules"}) {
    const std::string good = Model(name);
    for (int round = 0; round < 300; ++round) {
      std::string bad = good;
      if (round % 3 == 0) {
        bad.resize(random.Below(bad.size()));
      } else {
        // Settings and the character map stand behind the pieces.
        const size_t from = round % 3 == 1 ? 0 : bad.size() - std::min<size_t>(bad.size(), 1500);
        for (int i = 0; i < 3; ++i) {
          bad[from + random.Below(bad.size() - from)] = static_cast<char>(random.Below(256));
        }
      }
      const auto made = ParseSentencePiece(bad, "bad.model");
      if (!made.ok()) {
        ++refused;
        EXPECT_FALSE(made.error().message.empty());
        continue;
      }
      const auto ids = made->Encode("A game \uFB01nal e\u0301 \u4f60 <0x41> aaaa\xFF");
      if (ids.ok()) (void)made->Decode(*ids);
    }
  }
  EXPECT_GT(refused, 100);
}

TEST(CharacterMap, RefusesTriesThatLeadOutside) {
  const auto map = [](const std::vector<uint32_t>& units, std::string_view texts) {
    std::string bytes;
    const auto add = [&](uint32_t value) {
      for (int i = 0; i < 4; ++i) bytes.push_back(static_cast<char>(value >> 8 * i & 0xFF));
    };
    add(static_cast<uint32_t>(units.size() * 4));
    for (const uint32_t unit : units) add(unit);
    return bytes.append(texts);
  };
  // Units that stand for no key; 'a' at node 'a', whose leaf is node 1.
  std::vector<uint32_t> units(256, 0x80000000u);
  units[0] = 0;
  units['a'] = 'a' | 1u << 8 | ('a' ^ 1u) << 10;
  units[1] = 0x80000000u | 2;
  const std::string_view texts("b\0cd\0", 5);
  EXPECT_EQ(CheckCharacterMap(map(units, texts)), "");
  EXPECT_EQ(CheckCharacterMap(""), "");
  EXPECT_THAT(CheckCharacterMap(map(units, "bcdef")), HasSubstr("no end"));
  EXPECT_THAT(CheckCharacterMap(map(units, std::string_view("\0", 1))), HasSubstr("begins at 2"));
  EXPECT_THAT(CheckCharacterMap(map({0x80000000u, 0}, texts)), HasSubstr("is outside"));
  auto far = units;
  far['a'] = 'a' | 0x1FFFFFu << 10;
  EXPECT_THAT(CheckCharacterMap(map(far, texts)), HasSubstr("is outside"));
  EXPECT_THAT(CheckCharacterMap("\x08"), HasSubstr("a trie of 0 bytes"));
  EXPECT_THAT(CheckCharacterMap(std::string("\xFF\xFF\xFF\x7F", 4) + "xx"), HasSubstr("a trie of"));
}

}  // namespace
}  // namespace tenon::text
