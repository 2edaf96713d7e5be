// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "text/stream_decoder.h"
#include "text/tokenizer_json/tokenizer_json.h"
#include "text/utf8.h"

// Arbitrary tokenizer.json files, which may only be refused, and arbitrary text and ids through
// those that are read; and arbitrary pieces put into a good file. Input: the file, NUL, the text.
namespace {

using tenon::text::ParseTokenizerJson;
using tenon::text::StreamDecoder;
using tenon::text::Tokenizer;

constexpr char kModel[] =
    R"("added_tokens":[{"id":9,"content":"<s>","special":true,"lstrip":true,"rstrip":true},)"
    R"({"id":10,"content":"ab","normalized":true,"single_word":true}],)"
    R"("decoder":{"type":"Sequence","decoders":[{"type":"ByteFallback"},{"type":"Fuse"},)"
    R"({"type":"Replace","pattern":{"String":"ab"},"content":" "},)"
    R"({"type":"Strip","content":" ","start":1,"stop":2}]},)"
    R"("model":{"type":"BPE","unk_token":"?","fuse_unk":true,"byte_fallback":true,)"
    R"("vocab":{"?":0,"a":1,"b":2,"aa":3,"ba":4," ":5,"<0xC3>":6,"<0xA9>":7,"aab":8},)"
    R"("merges":["a a","b a","aa b"]})";

void Check(bool holds) {
  if (!holds) std::abort();
}

void Use(const Tokenizer& tokenizer, const std::string& text) {
  for (const bool special : {false, true}) {
    const auto ids = tokenizer.Encode(text, {.parse_special = special, .add_special = special});
    if (!ids.ok()) continue;
    std::string streamed;
    StreamDecoder decoder(tokenizer, {.skip_special = special});
    for (const int32_t id : *ids) {
      Check(id >= 0 && id < tokenizer.vocab_size());
      streamed += decoder.Push(id);
    }
    streamed += decoder.Flush();
    Check(tenon::text::ValidUtf8Prefix(streamed) == streamed.size());
    Check(streamed == tokenizer.Decode(*ids, special));
  }
}

void Try(const std::string& file, const std::string& text) {
  const auto tokenizer = ParseTokenizerJson(file, "", "fuzz");
  if (tokenizer.ok()) {
    Use(*tokenizer, text);
  } else {
    Check(!tokenizer.error().message.empty());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  if (size > 4096) return 0;
  const std::string data(reinterpret_cast<const char*>(bytes), size);
  const size_t end = std::min(data.find('\0'), data.size());
  const std::string file = data.substr(0, end);
  const std::string text = end == data.size() ? data : data.substr(end + 1);
  Try(file, text);
  Try(std::string("{\"normalizer\":") + file + "," + kModel + "}", text);
  Try(std::string("{\"pre_tokenizer\":") + file + "," + kModel + "}", text);
  (void)ParseTokenizerJson(std::string("{") + kModel + "}", file, "fuzz");
  static const Tokenizer good = *ParseTokenizerJson(std::string("{") + kModel + "}", "", "good");
  Use(good, data);
  return 0;
}
