// SPDX-License-Identifier: Apache-2.0
#include "text/vocabulary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "text/testing/vocabularies.h"
#include "text/tokenizer.h"

namespace tenon::text {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// What Tokenizer::Make says of a good vocabulary after `damage`.
std::string Refusal(Vocabulary vocabulary, const std::function<void(Vocabulary&)>& damage,
                    Status status = Status::kInvalid) {
  damage(vocabulary);
  const auto made = Tokenizer::Make(std::move(vocabulary));
  if (made.ok()) return "accepted";
  EXPECT_EQ(made.error().status, status);
  return made.error().message;
}

Vocabulary Bytes() { return testing::ByteVocabulary({{"a", "b"}}); }
Vocabulary Pieces() { return testing::PieceVocabulary({"\u2581", "a", "b", "ab"}); }

TEST(Vocabulary, AcceptsBothKinds) {
  EXPECT_EQ(Refusal(Bytes(), [](Vocabulary&) {}), "accepted");
  EXPECT_EQ(Refusal(Pieces(), [](Vocabulary&) {}), "accepted");
}

TEST(Vocabulary, NamesKindsAndPreTokenizersItCannotUse) {
  EXPECT_THAT(Refusal(
                  Bytes(), [](auto& v) { v.kind = "t5"; }, Status::kUnsupported),
              HasSubstr("\"t5\" is not supported; gpt2 and llama are"));
  EXPECT_THAT(Refusal(
                  Bytes(), [](auto& v) { v.pre = "nope"; }, Status::kUnsupported),
              AllOf(HasSubstr("\"nope\" is not supported; these are: "), HasSubstr(", gpt-2, "),
                    HasSubstr(", smollm, ")));
}

TEST(Vocabulary, RefusesIdsOutsideIt) {
  EXPECT_THAT(Refusal(Pieces(), [](auto& v) { v.bos = 100000; }),
              HasSubstr("bos is token 100000 of 265"));
  EXPECT_THAT(Refusal(Pieces(), [](auto& v) { v.eos = -2; }), HasSubstr("eos is token -2"));
  EXPECT_THAT(Refusal(Pieces(), [](auto& v) { v.unk = INT32_MAX; }), HasSubstr("unk"));
  EXPECT_THAT(Refusal(Pieces(), [](auto& v) { v.more_eos = {1, -1}; }), HasSubstr("end-of-text"));
  EXPECT_THAT(Refusal(Bytes(), [](auto& v) { v.add_bos = true; }), HasSubstr("no bos token"));
  EXPECT_THAT(Refusal(Bytes(), [](auto& v) { v.add_eos = true; }), HasSubstr("no eos token"));
}

TEST(Vocabulary, RefusesDuplicateEmptyAndHugeTokens) {
  EXPECT_THAT(Refusal(Bytes(), [](auto& v) { v.tokens[7] = v.tokens[90]; }),
              HasSubstr("tokens 7 and 90 are both"));
  EXPECT_THAT(Refusal(Bytes(), [](auto& v) { v.tokens[3].clear(); }),
              HasSubstr("token 3 has 0 bytes"));
  EXPECT_THAT(Refusal(Bytes(), [](auto& v) { v.tokens[3].assign(5000, 'x'); }),
              HasSubstr("token 3 has 5000 bytes, 1 to 4096 allowed"));
  EXPECT_THAT(Refusal(Bytes(), [](auto& v) { v.tokens.clear(); }), HasSubstr("no tokens"));
}

TEST(Vocabulary, RefusesListsOfOtherLengths) {
  EXPECT_THAT(Refusal(Bytes(), [](auto& v) { v.types.pop_back(); }), HasSubstr("token types for"));
  EXPECT_THAT(Refusal(Pieces(), [](auto& v) { v.scores.clear(); }),
              HasSubstr("0 scores for 265 tokens"));
  EXPECT_THAT(Refusal(Bytes(), [](auto& v) { v.merges.clear(); }), HasSubstr("without merges"));
  EXPECT_THAT(Refusal(Bytes(), [](auto& v) { v.tokens.resize(kMaxTokens + 1); }),
              HasSubstr("at most"));
}

TEST(Vocabulary, RefusesBadTypesAndScores) {
  EXPECT_THAT(Refusal(Bytes(), [](auto& v) { v.types[5] = static_cast<TokenType>(9); }),
              HasSubstr("token 5 has type 9, 1 to 6 allowed"));
  EXPECT_THAT(Refusal(Pieces(), [](auto& v) { v.scores[8] = std::nanf(""); }),
              HasSubstr("score of token 8"));
}

TEST(Vocabulary, RefusesMergesOfUnknownTokens) {
  EXPECT_THAT(Refusal(Bytes(), [](auto& v) { v.merges.push_back("a zz"); }),
              HasSubstr("merge 1, \"a zz\""));
  EXPECT_THAT(Refusal(Bytes(), [](auto& v) { v.merges.push_back("b a"); }), HasSubstr("merge 1"));
  EXPECT_THAT(Refusal(Bytes(), [](auto& v) { v.merges[0] = "ab"; }), HasSubstr("merge 0"));
  EXPECT_THAT(Refusal(Bytes(), [](auto& v) { v.merges[0] = ""; }), HasSubstr("merge 0"));
}

}  // namespace
}  // namespace tenon::text
