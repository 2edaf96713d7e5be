// SPDX-License-Identifier: Apache-2.0
#include "text/stream_decoder.h"

#include "text/tokenizer.h"
#include "text/utf8.h"

namespace tenon::text {

StreamDecoder::StreamDecoder(const Tokenizer& tokenizer, const StreamOptions& options)
    : tokenizer_(&tokenizer),
      options_(options),
      strip_space_(options.starts_text && tokenizer.vocabulary().add_space_prefix) {}

std::string StreamDecoder::Push(int32_t id) {
  if (options_.skip_special && tokenizer_->IsSpecial(id)) return {};
  std::string_view piece = tokenizer_->Bytes(id);
  if (strip_space_ && !piece.empty()) {
    if (piece.front() == ' ') piece.remove_prefix(1);
    strip_space_ = false;
  }
  held_ += piece;
  // All but an unfinished character at the end, which is at most its last 3 bytes.
  size_t whole = 0;
  while (true) {
    whole += ValidUtf8Prefix(std::string_view(held_).substr(whole));
    const Utf8Step step = DecodeUtf8(held_, whole);
    if (step.kind == Utf8Step::kIncomplete) break;
    whole += step.bytes;
  }
  std::string text;
  AppendReplacingInvalid(std::string_view(held_).substr(0, whole), &text);
  held_.erase(0, whole);
  return text;
}

std::string StreamDecoder::Flush() {
  std::string text;
  AppendReplacingInvalid(held_, &text);
  held_.clear();
  strip_space_ = options_.starts_text && tokenizer_->vocabulary().add_space_prefix;
  return text;
}

}  // namespace tenon::text
