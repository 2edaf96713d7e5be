// SPDX-License-Identifier: Apache-2.0
#include "text/tokenizer_json/normalizers.h"

#include <iterator>
#include <vector>

#include "text/tokenizer_json/regex.h"
#include "text/tokenizer_json/unicode.h"
#include "text/utf8.h"

namespace tenon::text::tokenizer_json {
namespace {

using Made = Result<std::unique_ptr<Normalizer>>;

constexpr size_t kMaxReplacementBytes = 256;

// What `rewrite` makes of each character: a callable (char32_t, std::string* out).
template <typename Rewrite>
class ByCharacter final : public Normalizer {
 public:
  explicit ByCharacter(Rewrite rewrite) : rewrite_(rewrite) {}
  Result<void> Run(std::string* text) const override {
    std::string out;
    out.reserve(text->size());
    for (size_t at = 0; at < text->size();) {
      const Utf8Step step = DecodeUtf8(*text, at);
      rewrite_(step.character, &out);
      at += step.bytes;
    }
    text->swap(out);
    return {};
  }

 private:
  Rewrite rewrite_;
};

template <typename Rewrite>
Made MakeByCharacter(Fields& fields, Rewrite rewrite) {
  TENON_RETURN_IF_ERROR(fields.Done());
  return std::unique_ptr<Normalizer>(std::make_unique<ByCharacter<Rewrite>>(rewrite));
}

Made ReadLowercase(Fields& fields) {
  return MakeByCharacter(fields, [](char32_t c, std::string* out) { AppendLower(c, out); });
}

Made ReadStripAccents(Fields& fields) {
  return MakeByCharacter(fields, [](char32_t c, std::string* out) {
    if (!IsMark(c)) AppendUtf8(c, out);
  });
}

// The rules of Google's neural machine translation, as SentencePiece's "nmt" has them.
Made ReadNmt(Fields& fields) {
  return MakeByCharacter(fields, [](char32_t c, std::string* out) {
    if ((c >= 1 && c <= 8) || c == 0xB || (c >= 0xE && c <= 0x1F) || c == 0x7F || c == 0x8F ||
        c == 0x9F) {
      return;
    }
    const bool space = c == 9 || c == 10 || c == 12 || c == 13 || c == 0x1680 ||
                       (c >= 0x200B && c <= 0x200F) || c == 0x2028 || c == 0x2029 || c == 0x2581 ||
                       c == 0xFEFF || c == 0xFFFD;
    AppendUtf8(space ? U' ' : c, out);
  });
}

class UnicodeForm final : public Normalizer {
 public:
  explicit UnicodeForm(NormalForm form) : form_(form) {}
  Result<void> Run(std::string* text) const override {
    *text = Normalize(*text, form_);
    return text->size() > kMaxNormalBytes ? Result<void>(NormalTextTooLong()) : Result<void>();
  }

 private:
  NormalForm form_;
};

template <NormalForm form>
Made ReadForm(Fields& fields) {
  TENON_RETURN_IF_ERROR(fields.Done());
  return std::unique_ptr<Normalizer>(std::make_unique<UnicodeForm>(form));
}

class ByteLevel final : public Normalizer {
 public:
  Result<void> Run(std::string* text) const override {
    std::string out;
    AppendByteLetters(*text, &out);
    text->swap(out);
    return text->size() > kMaxNormalBytes ? Result<void>(NormalTextTooLong()) : Result<void>();
  }
};

Made ReadByteLevel(Fields& fields) {
  TENON_RETURN_IF_ERROR(fields.Done());
  return std::unique_ptr<Normalizer>(std::make_unique<ByteLevel>());
}

class Prepend final : public Normalizer {
 public:
  explicit Prepend(std::string prefix) : prefix_(std::move(prefix)) {}
  Result<void> Run(std::string* text) const override {
    if (!text->empty()) text->insert(0, prefix_);
    return {};
  }

 private:
  std::string prefix_;
};

Made ReadPrepend(Fields& fields) {
  std::string prefix = fields.Text("prepend");
  TENON_RETURN_IF_ERROR(fields.Done());
  if (prefix.size() > kMaxReplacementBytes) {
    return fields.Child("prepend").Wrong("at most 256 bytes");
  }
  return std::unique_ptr<Normalizer>(std::make_unique<Prepend>(std::move(prefix)));
}

class Replace final : public Normalizer {
 public:
  Replace(Pattern pattern, std::string content)
      : pattern_(std::move(pattern)), content_(std::move(content)) {}
  Result<void> Run(std::string* text) const override {
    std::string out;
    size_t done = 0;
    Pattern::Walk walk(pattern_, *text);
    while (true) {
      const auto found = walk.Next();
      if (!found.ok()) return found.error();
      if (!*found) break;
      out.append(*text, done, walk.begin() - done).append(content_);
      if (out.size() > kMaxNormalBytes) return NormalTextTooLong();
      done = walk.end();
    }
    if (done == 0 && out.empty()) return {};
    text->swap(out.append(*text, done));
    return {};
  }

 private:
  Pattern pattern_;
  std::string content_;
};

Made ReadReplace(Fields& fields) {
  const Node pattern = fields.Child("pattern");
  std::string content = fields.Text("content");
  TENON_RETURN_IF_ERROR(fields.Done());
  if (content.size() > kMaxReplacementBytes) {
    return fields.Child("content").Wrong("at most 256 bytes");
  }
  auto read = Pattern::Read(pattern);
  if (!read.ok()) return read.error();
  return std::unique_ptr<Normalizer>(
      std::make_unique<Replace>(*std::move(read), std::move(content)));
}

class Strip final : public Normalizer {
 public:
  Strip(bool left, bool right) : left_(left), right_(right) {}
  Result<void> Run(std::string* text) const override {
    size_t begin = 0, end = text->size();
    while (left_ && begin < end) {
      const Utf8Step step = DecodeUtf8(*text, begin);
      if (!IsWhiteSpace(step.character)) break;
      begin += step.bytes;
    }
    while (right_ && begin < end) {
      size_t last = end - 1;
      while (last > begin && (static_cast<uint8_t>((*text)[last]) & 0xC0) == 0x80) --last;
      if (!IsWhiteSpace(DecodeUtf8(*text, last).character)) break;
      end = last;
    }
    *text = text->substr(begin, end - begin);
    return {};
  }

 private:
  bool left_, right_;
};

Made ReadStrip(Fields& fields) {
  const bool left = fields.Flag("strip_left"), right = fields.Flag("strip_right");
  TENON_RETURN_IF_ERROR(fields.Done());
  return std::unique_ptr<Normalizer>(std::make_unique<Strip>(left, right));
}

class Sequence final : public Normalizer {
 public:
  explicit Sequence(std::vector<std::unique_ptr<Normalizer>> steps) : steps_(std::move(steps)) {}
  Result<void> Run(std::string* text) const override {
    for (const auto& step : steps_) TENON_RETURN_IF_ERROR(step->Run(text));
    return {};
  }

 private:
  std::vector<std::unique_ptr<Normalizer>> steps_;
};

// Nested sequences go as deep as the document, which the parser bounds.
Made ReadSequence(Fields& fields) {
  const std::vector<Node> nodes = fields.List("normalizers");
  TENON_RETURN_IF_ERROR(fields.Done());
  std::vector<std::unique_ptr<Normalizer>> steps;
  for (const Node& node : nodes) {
    auto step = ReadNormalizer(node);
    if (!step.ok()) return step.error();
    steps.push_back(*std::move(step));
  }
  return std::unique_ptr<Normalizer>(std::make_unique<Sequence>(std::move(steps)));
}

// In the order of kNormalizerKinds.
constexpr Made (*kReaders[])(Fields&) = {ReadBertNormalizer,
                                         ReadByteLevel,
                                         ReadLowercase,
                                         ReadForm<NormalForm::kNfc>,
                                         ReadForm<NormalForm::kNfd>,
                                         ReadForm<NormalForm::kNfkc>,
                                         ReadForm<NormalForm::kNfkd>,
                                         ReadNmt,
                                         ReadPrecompiled,
                                         ReadPrepend,
                                         ReadReplace,
                                         ReadSequence,
                                         ReadStrip,
                                         ReadStripAccents};
static_assert(std::size(kReaders) == std::size(kNormalizerKinds));

}  // namespace

Error NormalTextTooLong() {
  return {Status::kInvalid, "the text grows beyond " + std::to_string(kMaxNormalBytes) +
                                " bytes when normalized; give less at once"};
}

Result<std::unique_ptr<Normalizer>> ReadNormalizer(const Node& node) {
  const auto type = TypeOf(node);
  if (!type.ok()) return type.error();
  const auto kind = KindOf(node, *type, kNormalizerKinds);
  if (!kind.ok()) return kind.error();
  Fields fields(node);
  fields.Ignore("type");
  return kReaders[*kind](fields);
}

}  // namespace tenon::text::tokenizer_json
