// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "text/stop_strings.h"
#include "text/stream_decoder.h"
#include "text/tokenizer.h"
#include "text/utf8.h"

// Arbitrary vocabularies, which may only be refused, and arbitrary text through a good one, which
// must come back byte for byte and, streamed, as whole characters.
namespace {

using tenon::text::StreamDecoder;
using tenon::text::Tokenizer;
using tenon::text::TokenType;
using tenon::text::Vocabulary;

void Add(Vocabulary* v, std::string token, TokenType type) {
  v->scores.push_back(-static_cast<float>(v->tokens.size() % 97));
  v->tokens.push_back(std::move(token));
  v->types.push_back(type);
}

Tokenizer MakePieces() {
  Vocabulary v;
  v.kind = "llama";
  for (unsigned byte = 0; byte < 256; ++byte) {
    constexpr char kHex[] = "0123456789ABCDEF";
    Add(&v, std::string("<0x") + kHex[byte / 16] + kHex[byte % 16] + ">", TokenType::kByte);
  }
  for (const char* piece : {"a", "b", "ab", "aa", "aab", "\xE2\x96\x81",
                            "\xE2\x96\x81"
                            "a",
                            "ba", "abab", "aaaa"}) {
    Add(&v, piece, TokenType::kNormal);
  }
  Add(&v, "  ", TokenType::kUserDefined);
  Add(&v, "<s>", TokenType::kControl);
  return *Tokenizer::Make(std::move(v));
}

void Check(bool holds) {
  if (!holds) std::abort();
}

void RoundTrip(const Tokenizer& tokenizer, const std::string& text) {
  for (const bool special : {false, true}) {
    const auto ids = tokenizer.Encode(text, {.parse_special = special});
    Check(ids.ok());
    std::string bytes, streamed;
    StreamDecoder decoder(tokenizer, {.skip_special = false});
    for (const int32_t id : *ids) {
      bytes += tokenizer.Bytes(id);
      streamed += decoder.Push(id);
    }
    streamed += decoder.Flush();
    Check(text.find("\xE2\x96\x81") != std::string::npos || bytes == text);
    Check(tenon::text::ValidUtf8Prefix(streamed) == streamed.size());
  }
}

// The bytes as a vocabulary: tokens between NULs, and whatever follows as merges and types.
void ArbitraryVocabulary(const std::string& data) {
  Vocabulary v;
  v.kind = data.size() % 2 == 0 ? "gpt2" : "llama";
  v.pre = "smollm";
  size_t at = 0;
  while (at < data.size()) {
    const size_t end = std::min(data.find('\0', at), data.size());
    const std::string part = data.substr(at, end - at);
    if (part.find(' ', 1) != std::string::npos) {
      v.merges.push_back(part);
    } else {
      Add(&v, part, static_cast<TokenType>(1 + part.size() % 6));
    }
    at = end + 1;
  }
  v.add_space_prefix = data.size() % 3 == 0;
  v.unk = data.size() % 5 == 0 ? 0 : -1;
  const auto tokenizer = Tokenizer::Make(std::move(v));
  if (!tokenizer.ok()) return;
  const auto ids = tokenizer->Encode(data, {.parse_special = true});
  Check(ids.ok());
  (void)tokenizer->Decode(*ids);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  static const Tokenizer pieces = MakePieces();
  const std::string data(reinterpret_cast<const char*>(bytes), size);
  RoundTrip(pieces, data);
  ArbitraryVocabulary(data);
  auto stops = tenon::text::StopStrings::Make({"ab", "aab", data.substr(0, 3)});
  if (stops.ok()) {
    std::string shown = stops->Push(data);
    shown += stops->Flush();
    Check(data.starts_with(shown));
  }
  return 0;
}
