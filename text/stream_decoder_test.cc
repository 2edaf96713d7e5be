// SPDX-License-Identifier: Apache-2.0
#include "text/stream_decoder.h"

#include <gtest/gtest.h>

#include "text/testing/vocabularies.h"
#include "text/tokenizer.h"
#include "text/utf8.h"

namespace tenon::text {
namespace {

Tokenizer Bytes() { return *Tokenizer::Make(testing::ByteVocabulary({{"a", "b"}})); }

TEST(StreamDecoder, HoldsACharacterUntilItIsWhole) {
  const Tokenizer t = Bytes();
  StreamDecoder decoder(t);
  EXPECT_EQ(decoder.Push('a'), "a");
  EXPECT_EQ(decoder.Push(0xF0), "");
  EXPECT_EQ(decoder.Push(0x9F), "");
  EXPECT_EQ(decoder.Push(0x98), "");
  EXPECT_EQ(decoder.Push(0x8D), "\U0001F60D");
  EXPECT_EQ(decoder.Flush(), "");
}

TEST(StreamDecoder, ReplacesWhatCannotBecomeACharacter) {
  const Tokenizer t = Bytes();
  StreamDecoder decoder(t);
  EXPECT_EQ(decoder.Push(0xE2), "");
  EXPECT_EQ(decoder.Push('x'), "\uFFFDx");
  EXPECT_EQ(decoder.Push(0xFF), "\uFFFD");
  EXPECT_EQ(decoder.Push(0xE2), "");
  EXPECT_EQ(decoder.Push(0x82), "");
  EXPECT_EQ(decoder.Flush(), "\uFFFD");
  EXPECT_EQ(decoder.Flush(), "");
  EXPECT_EQ(decoder.Push('y'), "y");
}

TEST(StreamDecoder, GivesWholeCharactersAndTheTextOfTheBytes) {
  const Tokenizer t = Bytes();
  testing::Random random(6);
  for (int round = 0; round < 500; ++round) {
    const std::string bytes = random.Text(30, "ab\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x8D\xFF\x80");
    StreamDecoder decoder(t);
    std::string text, wanted;
    for (const char c : bytes) {
      const std::string part = decoder.Push(static_cast<uint8_t>(c));
      ASSERT_EQ(ValidUtf8Prefix(part), part.size());
      text += part;
    }
    text += decoder.Flush();
    AppendReplacingInvalid(bytes, &wanted);
    ASSERT_EQ(text, wanted);
  }
}

TEST(StreamDecoder, SkipsControlTokensUnlessAskedNotTo) {
  const Tokenizer t = Bytes();
  StreamDecoder skipping(t), showing(t, {.skip_special = false});
  EXPECT_EQ(skipping.Push(258), "");
  EXPECT_EQ(showing.Push(258), "<|im_end|>");
  EXPECT_EQ(skipping.Push(259), "<tag>");
  EXPECT_EQ(skipping.Push(-3), "");
}

TEST(StreamDecoder, TakesTheSpacePrefixOffOnceAtTheStart) {
  Vocabulary v = testing::PieceVocabulary({"\u2581a", "\u2581"});
  v.add_space_prefix = true;
  const Tokenizer t = *Tokenizer::Make(std::move(v));
  const int32_t a = t.Find("\u2581a");
  StreamDecoder decoder(t), continuing(t, {.starts_text = false});
  EXPECT_EQ(decoder.Push(1), "");  // <s>, skipped, is not the start
  EXPECT_EQ(decoder.Push(a), "a");
  EXPECT_EQ(decoder.Push(a), " a");
  EXPECT_EQ(decoder.Flush(), "");
  EXPECT_EQ(decoder.Push(a), "a");
  EXPECT_EQ(continuing.Push(a), " a");
}

}  // namespace
}  // namespace tenon::text
