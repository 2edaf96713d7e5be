// SPDX-License-Identifier: Apache-2.0
#include "text/stream_decoder.h"

#include <utility>

#include "text/tokenizer.h"
#include "text/utf8.h"

namespace tenon::text {
namespace {

// Appends U+FFFD for what is not UTF-8: one for what could have become one character, or one a
// byte.
void AppendRepaired(std::string_view text, bool byte_by_byte, std::string* out) {
  if (!byte_by_byte) return AppendReplacingInvalid(text, out);
  while (!text.empty()) {
    const size_t valid = ValidUtf8Prefix(text);
    out->append(text.substr(0, valid));
    text.remove_prefix(valid);
    const size_t bad = DecodeUtf8(text, 0).bytes;
    for (size_t i = 0; i < bad; ++i) out->append(kReplacement);
    text.remove_prefix(bad);
  }
}

}  // namespace

StreamDecoder::StreamDecoder(const Tokenizer& tokenizer, const StreamOptions& options)
    : tokenizer_(&tokenizer), options_(options) {
  Start();
}

void StreamDecoder::Start() {
  strip_space_ = options_.starts_text && tokenizer_->vocabulary().add_space_prefix;
  first_ = options_.starts_text;
  waiting_ = -1;
  if (tokenizer_->decoder() != nullptr) {
    filters_ = tokenizer_->decoder()->Filters(!options_.starts_text);
  }
}

std::string_view StreamDecoder::PlainPiece(int32_t id) {
  std::string_view piece = tokenizer_->Bytes(id);
  if (strip_space_ && !piece.empty()) {
    if (piece.front() == ' ') piece.remove_prefix(1);
    strip_space_ = false;
  }
  return piece;
}

std::string StreamDecoder::DecodedPiece(int32_t id) {
  const TokenDecoder& decoder = *tokenizer_->decoder();
  if (tokenizer_->TokenText(id).empty()) return {};
  const bool first = std::exchange(first_, false);
  if (decoder.NeedsLast()) {
    const int32_t before = std::exchange(waiting_, id);
    const bool before_first = std::exchange(waiting_first_, first);
    if (before < 0) return {};
    return decoder.Bytes(tokenizer_->DecodedAs(before), before_first, false);
  }
  return first ? decoder.Bytes(tokenizer_->DecodedAs(id), true, false)
               : std::string(tokenizer_->Bytes(id));
}

std::string StreamDecoder::TakeWhole() {
  // All but an unfinished character at the end, which is at most its last 3 bytes.
  size_t whole = 0;
  while (true) {
    whole += ValidUtf8Prefix(std::string_view(held_).substr(whole));
    const Utf8Step step = DecodeUtf8(held_, whole);
    if (step.kind == Utf8Step::kIncomplete) break;
    whole += step.bytes;
  }
  const TokenDecoder* decoder = tokenizer_->decoder();
  std::string text;
  AppendRepaired(std::string_view(held_).substr(0, whole),
                 decoder != nullptr && decoder->ReplacesByteByByte(), &text);
  held_.erase(0, whole);
  return text;
}

std::string StreamDecoder::Filtered(std::string text) {
  for (const auto& filter : filters_) text = filter->Push(text);
  return text;
}

std::string StreamDecoder::Push(int32_t id) {
  if (options_.skip_special && tokenizer_->IsSpecial(id)) return {};
  if (tokenizer_->decoder() == nullptr) {
    held_ += PlainPiece(id);
  } else {
    held_ += DecodedPiece(id);
  }
  return Filtered(TakeWhole());
}

std::string StreamDecoder::Flush() {
  const TokenDecoder* decoder = tokenizer_->decoder();
  if (waiting_ >= 0) {
    held_ += decoder->Bytes(tokenizer_->DecodedAs(waiting_), waiting_first_, true);
  }
  std::string text;
  AppendRepaired(std::exchange(held_, {}), decoder != nullptr && decoder->ReplacesByteByByte(),
                 &text);
  for (const auto& filter : filters_) {
    text = filter->Push(text);
    text += filter->Flush();
  }
  Start();
  return text;
}

}  // namespace tenon::text
