// SPDX-License-Identifier: Apache-2.0
#include "text/tokenizer_json/normalizers.h"
#include "text/tokenizer_json/unicode.h"
#include "text/utf8.h"

namespace tenon::text::tokenizer_json {
namespace {

// The blocks that BERT's own code calls Chinese characters.
bool IsChinese(char32_t c) {
  return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) ||
         (c >= 0x20000 && c <= 0x2A6DF) || (c >= 0x2A700 && c <= 0x2B73F) ||
         (c >= 0x2B740 && c <= 0x2B81F) || (c >= 0x2B920 && c <= 0x2CEAF) ||
         (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x2F800 && c <= 0x2FA1F);
}

class BertNormalizer final : public Normalizer {
 public:
  BertNormalizer(bool clean, bool chinese, bool strip_accents, bool lowercase)
      : clean_(clean), chinese_(chinese), strip_accents_(strip_accents), lowercase_(lowercase) {}

  Result<void> Run(std::string* text) const override {
    std::string out;
    out.reserve(text->size());
    for (size_t at = 0; at < text->size();) {
      const Utf8Step step = DecodeUtf8(*text, at);
      if (step.character < 0x80) {
        Ascii(static_cast<char>(step.character), &out);
      } else {
        Character(step.character, &out);
      }
      at += step.bytes;
    }
    if (out.size() > kMaxNormalBytes) return NormalTextTooLong();
    if (strip_accents_) StripAccents(&out);
    text->swap(out);
    return {};
  }

 private:
  void Ascii(char c, std::string* out) const {
    if (clean_) {
      const bool space = c == ' ' || (c >= 9 && c <= 13);
      // White space by property, but a control character by category: those two go.
      if (c == 0x7F || (c < ' ' && (!space || c == 0xB || c == 0xC))) return;
      if (space) c = ' ';
    }
    if (lowercase_ && c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    out->push_back(c);
  }

  void Character(char32_t c, std::string* out) const {
    if (clean_) {
      if (c == 0xFFFD || IsOther(c)) return;
      if (IsWhiteSpace(c)) c = U' ';
    }
    const bool apart = chinese_ && IsChinese(c);
    if (apart) out->push_back(' ');
    // With accents to strip, case waits until they are gone.
    lowercase_ && !strip_accents_ ? AppendLower(c, out) : AppendUtf8(c, out);
    if (apart) out->push_back(' ');
  }

  void StripAccents(std::string* text) const {
    const std::string parts = Normalize(*text, NormalForm::kNfd);
    text->clear();
    for (size_t at = 0; at < parts.size();) {
      const Utf8Step step = DecodeUtf8(parts, at);
      at += step.bytes;
      if (IsNonspacingMark(step.character)) continue;
      lowercase_ ? AppendLower(step.character, text) : AppendUtf8(step.character, text);
    }
  }

  bool clean_, chinese_, strip_accents_, lowercase_;
};

}  // namespace

Result<std::unique_ptr<Normalizer>> ReadBertNormalizer(Fields& fields) {
  const bool clean = fields.FlagOr("clean_text", true);
  const bool chinese = fields.FlagOr("handle_chinese_chars", true);
  const bool lowercase = fields.FlagOr("lowercase", true);
  const bool strip_accents = fields.FlagOr("strip_accents", lowercase);
  TENON_RETURN_IF_ERROR(fields.Done());
  return std::unique_ptr<Normalizer>(
      std::make_unique<BertNormalizer>(clean, chinese, strip_accents, lowercase));
}

}  // namespace tenon::text::tokenizer_json
