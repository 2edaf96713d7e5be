// SPDX-License-Identifier: Apache-2.0
#include "text/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "text/encoder.h"
#include "text/testing/vocabularies.h"

namespace tenon::text {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

Tokenizer Made(Vocabulary vocabulary) {
  auto made = Tokenizer::Make(std::move(vocabulary));
  if (!made.ok()) ADD_FAILURE() << made.error().message;
  return *std::move(made);
}

Tokenizer SmallBytes() {
  return Made(testing::ByteVocabulary(
      {{"t", "h"}, {"th", "e"}, {" ", "the"}, {"l", "l"}, {"\xC3", "\xA9"}}));
}

Tokenizer SmallPieces() {
  return Made(
      testing::PieceVocabulary({"he", "ll", "llo", "hello", "\u2581", "\u2581hello", "h", "e", "l",
                                "o", "\u00e9", "\u2581h", "\u2581he", "\u2581hell"}));
}

std::string BytesOf(const Tokenizer& tokenizer, const std::vector<int32_t>& ids) {
  std::string bytes;
  for (const int32_t id : ids) bytes += tokenizer.Bytes(id);
  return bytes;
}

TEST(Tokenizer, MergesBytesInTheOrderOfTheMerges) {
  const Tokenizer t = SmallBytes();
  EXPECT_THAT(*t.Encode("the"), ElementsAre(257));
  EXPECT_THAT(*t.Encode("a the"), ElementsAre('a', 258));
  EXPECT_THAT(*t.Encode("h\u00e9ll"), ElementsAre('h', 260, 259));
  EXPECT_THAT(*t.Encode(""), IsEmpty());
}

TEST(Tokenizer, TakesWholeWordsBeforeMergesWhereTheFamilyDoes) {
  Vocabulary v = testing::ByteVocabulary({{"a", "b"}, {"b", "c"}, {"c", "d"}, {"bc", "d"}});
  v.tokens.push_back("abcd");
  v.types.push_back(TokenType::kNormal);
  v.scores.push_back(0);
  v.tokens.push_back("bcd_");
  v.types.push_back(TokenType::kControl);
  v.scores.push_back(0);
  const int32_t word = static_cast<int32_t>(v.tokens.size()) - 2;
  for (const char* pre : {"llama-bpe", "tekken"}) {
    v.pre = pre;
    const Tokenizer t = Made(v);
    EXPECT_THAT(*t.Encode("abcd"), ElementsAre(word)) << pre;
    EXPECT_THAT(*t.Encode("abcde"), ElementsAre(t.Find("ab"), t.Find("cd"), 'e')) << pre;
    EXPECT_THAT(*t.Encode("bcd_"), ElementsAre(t.Find("bcd"), '_')) << pre;
  }
  v.pre = "qwen2";
  const Tokenizer t = Made(v);
  EXPECT_THAT(*t.Encode("abcd"), ElementsAre(t.Find("ab"), t.Find("cd")));
}

TEST(Tokenizer, MergesPiecesByScore) {
  const Tokenizer t = SmallPieces();
  const int32_t first = t.Find("he");
  EXPECT_THAT(*t.Encode("hello"), ElementsAre(t.Find("hello")));
  // "h" "e" joins first, so that U+2581 "he" "llo" comes next, whatever the longer pieces score.
  EXPECT_THAT(*t.Encode(" hello"), ElementsAre(t.Find("\u2581hello")));
  EXPECT_THAT(*t.Encode("heo"), ElementsAre(first, t.Find("o")));
  EXPECT_THAT(*t.Encode("z\u20ac"), ElementsAre(3 + 'z', 3 + 0xE2, 3 + 0x82, 3 + 0xAC));
  EXPECT_THAT(*t.Encode("\xFFh"), ElementsAre(3 + 0xFF, t.Find("h")));
}

TEST(Tokenizer, WritesUnknownWhereNoBytesAreThere) {
  Vocabulary v = testing::PieceVocabulary({"a"});
  for (size_t i = 3; i < 259; ++i) v.types[i] = TokenType::kUnused;
  EXPECT_THAT(*Made(std::move(v)).Encode("az"), ElementsAre(261, 0));
}

TEST(Tokenizer, PutsTheSpacePrefixOnAndTakesItOff) {
  Vocabulary v = testing::PieceVocabulary({"\u2581hi", "\u2581h", "h", "i", "\u2581"});
  v.add_space_prefix = true;
  const Tokenizer t = Made(std::move(v));
  EXPECT_THAT(*t.Encode("hi"), ElementsAre(t.Find("\u2581hi")));
  EXPECT_EQ(t.Decode(*t.Encode("hi hi")), "hi hi");
  EXPECT_EQ(t.Decode(*t.Encode(" hi")), " hi");
  EXPECT_THAT(*t.Encode(""), IsEmpty());
  // After a control token a text starts anew; after a user-defined one it goes on.
  EXPECT_THAT(*t.Encode("<s>hi", {.parse_special = true}), ElementsAre(1, t.Find("\u2581hi")));
  EXPECT_THAT(*t.Encode("\n\nhi"), ElementsAre(t.Find("\n\n"), t.Find("h"), t.Find("i")));
}

TEST(Tokenizer, ParsesControlTokensOnlyWhereAsked) {
  const Tokenizer t = SmallBytes();
  EXPECT_THAT(*t.Encode("a<|end|>", {.parse_special = true}), ElementsAre('a', 261));
  EXPECT_EQ(t.Encode("a<|end|>")->size(), 8u);
  EXPECT_THAT(*t.Encode("a<tag>b"), ElementsAre('a', 263, 'b'));
  EXPECT_EQ(t.Decode(*t.Encode("a<|end|>")), "a<|end|>");
}

TEST(Tokenizer, PrefersTheLongestUserDefinedToken) {
  Vocabulary v = testing::PieceVocabulary({"\u2581"});
  for (const char* token : {"   ", "    "}) {
    v.tokens.emplace_back(token);
    v.types.push_back(TokenType::kUserDefined);
    v.scores.push_back(0);
  }
  const Tokenizer t = Made(std::move(v));
  EXPECT_THAT(*t.Encode("     "), ElementsAre(t.Find("    "), t.Find("\u2581")));
  EXPECT_THAT(*t.Encode("      "), ElementsAre(t.Find("    "), t.Find("  ")));
}

TEST(Tokenizer, AddsBosAndEosAsTheVocabularySays) {
  Vocabulary v = testing::PieceVocabulary({"a"});
  v.add_bos = v.add_eos = true;
  const Tokenizer t = Made(std::move(v));
  EXPECT_THAT(*t.Encode("a", {.add_special = true}), ElementsAre(1, 261, 2));
  EXPECT_THAT(*t.Encode("", {.add_special = true}), ElementsAre(1, 2));
  EXPECT_THAT(*t.Encode("a"), ElementsAre(261));
  EXPECT_THAT(*t.Encode("<s>a", {.parse_special = true, .add_special = true}),
              ElementsAre(1, 261, 2));
}

TEST(Tokenizer, KnowsWhatEndsAnAnswer) {
  Vocabulary v = testing::ByteVocabulary({{"a", "b"}});
  v.eos = 3;
  v.eot = 9;
  v.more_eos = {12};
  const Tokenizer t = Made(std::move(v));
  EXPECT_THAT(t.EndOfGeneration(), ElementsAre(3, 9, 12, 257, 258));
  EXPECT_TRUE(t.IsEndOfGeneration(258));
  EXPECT_FALSE(t.IsEndOfGeneration(259));
  EXPECT_FALSE(t.IsEndOfGeneration(-1));
}

TEST(Tokenizer, SurvivesIdsOutsideTheVocabulary) {
  const Tokenizer t = SmallBytes();
  EXPECT_EQ(t.Decode(std::vector<int32_t>{'a', -1, INT32_MIN, INT32_MAX, t.vocab_size(), 'b'}),
            "ab");
  EXPECT_EQ(t.Bytes(-5), "");
  EXPECT_EQ(t.TokenText(1 << 30), "");
  EXPECT_EQ(t.Bytes(' '), " ");
  EXPECT_EQ(t.TokenText(' '), "\u0120");
}

TEST(Tokenizer, SkipsControlTokensInOutputWhereAsked) {
  const Tokenizer t = SmallBytes();
  const std::vector<int32_t> ids = {'a', 262, 263, 'b'};
  EXPECT_EQ(t.Decode(ids), "a<|im_end|><tag>b");
  EXPECT_EQ(t.Decode(ids, true), "a<tag>b");
}

TEST(Tokenizer, GivesBackAnyBytes) {
  const Tokenizer bytes = SmallBytes(), pieces = SmallPieces();
  testing::Random random(4);
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all.push_back(static_cast<char>(byte));
  for (int round = 0; round < 400; ++round) {
    const std::string text =
        random.Text(random.Below(200),
                    round % 2 == 0 ? std::string_view(all) : "hello the\xC3\xA9\xE2\x82\n 1");
    ASSERT_EQ(BytesOf(bytes, *bytes.Encode(text)), text);
    ASSERT_EQ(BytesOf(pieces, *pieces.Encode(text)), text);
  }
}

// Cutting text where no piece reaches across must not change the outcome.
TEST(Tokenizer, MergesPiecesByTheDefinition) {
  testing::Random random(5);
  for (int round = 0; round < 60; ++round) {
    std::vector<std::string> pieces = {"a", "b", "\u2581", "\u00e9"};
    for (int i = 0; i < 30; ++i) {
      std::string piece = pieces[random.Below(pieces.size())] + pieces[random.Below(pieces.size())];
      if (std::find(pieces.begin(), pieces.end(), piece) == pieces.end()) pieces.push_back(piece);
    }
    Vocabulary v = testing::PieceVocabulary(pieces);
    for (float& score : v.scores) score = -static_cast<float>(random.Below(20));
    const Tokenizer t = Made(v);
    const auto score_of = [&](const std::string& piece) {
      const auto at = std::find(pieces.begin(), pieces.end(), piece);
      return at == pieces.end() ? -1e9f : v.scores[static_cast<size_t>(at - pieces.begin()) + 261];
    };
    std::vector<std::string> symbols;
    for (int i = 0; i < 90; ++i) symbols.push_back(pieces[random.Below(4)]);
    std::string text;
    for (const std::string& s : symbols) text += s == "\u2581" ? "\u2581" : s;
    while (true) {
      size_t best = symbols.size();
      for (size_t i = 0; i + 1 < symbols.size(); ++i) {
        const float score = score_of(symbols[i] + symbols[i + 1]);
        if (score > -1e8f &&
            (best == symbols.size() || score > score_of(symbols[best] + symbols[best + 1])))
          best = i;
      }
      if (best == symbols.size()) break;
      symbols[best] += symbols[best + 1];
      symbols.erase(symbols.begin() + static_cast<int64_t>(best) + 1);
    }
    std::vector<std::string> got;
    const auto ids = t.Encode(text);
    for (const int32_t id : *ids) got.emplace_back(t.TokenText(id));
    ASSERT_EQ(got, symbols) << round;
  }
}

TEST(Tokenizer, RefusesTextBeyondItsLimit) {
  const auto ids = SmallBytes().Encode(std::string(kMaxTextBytes + 1, 'a'));
  ASSERT_FALSE(ids.ok());
  EXPECT_THAT(ids.error().message, ::testing::HasSubstr("67108864 allowed"));
}

TEST(Tokenizer, TakesLongRunsOnASmallStack) {
  const auto work = [](void*) {
    const Tokenizer bytes = SmallBytes(), pieces = SmallPieces();
    for (const char* run :
         {"a", "l", " ", "\n", "1", "\u00e9", "\xFF", "\U0001F60D", "the ", "<tag", "\u2581"}) {
      std::string text;
      while (text.size() < size_t{1} << 20) text += run;
      EXPECT_EQ(BytesOf(bytes, *bytes.Encode(text)), text) << run;
      const auto ids = pieces.Encode(text);
      ASSERT_TRUE(ids.ok());
      if (std::string(run) == "\u2581") continue;  // which comes back as a space
      EXPECT_EQ(BytesOf(pieces, *ids), text) << run;
    }
  };
  testing::OnSmallStack(work, nullptr);
  SUCCEED();
}

TEST(Tokenizer, ServesManyThreads) {
  const Tokenizer t = SmallBytes();
  const std::string text = "the hello the th 1234 \u00e9";
  const auto wanted = *t.Encode(text);
  std::vector<std::thread> threads;
  std::vector<int> same(4);
  for (size_t i = 0; i < same.size(); ++i) {
    threads.emplace_back([&, i] {
      for (int round = 0; round < 200; ++round)
        same[i] += *t.Encode(text) == wanted && t.Decode(wanted) == text;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(same, ElementsAre(200, 200, 200, 200));
}

// Parts of real vocabularies with their ids, and reference outputs of another implementation.
void ExpectExtract(const std::string& name) {
  const testing::Extract extract = testing::ReadExtract(name);
  const Tokenizer t = Made(extract.vocabulary);
  ASSERT_GT(extract.cases.size(), 60u);
  for (const auto& wanted : extract.cases) {
    const auto ids = *t.Encode(wanted.text, {.parse_special = true});
    std::vector<int32_t> original;
    for (const int32_t id : ids) original.push_back(extract.original[static_cast<size_t>(id)]);
    EXPECT_EQ(original, wanted.ids) << wanted.text;
    EXPECT_EQ(t.Decode(ids), wanted.decoded);
  }
}

TEST(Tokenizer, GivesTheReferenceIdsOfSmollm2) { ExpectExtract("smollm2-extract"); }

TEST(Tokenizer, GivesTheReferenceIdsOfGemma3) { ExpectExtract("gemma3-extract"); }

}  // namespace
}  // namespace tenon::text
