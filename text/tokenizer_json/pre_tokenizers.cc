// SPDX-License-Identifier: Apache-2.0
#include "text/tokenizer_json/pre_tokenizers.h"

#include <iterator>

#include "text/tokenizer_json/regex.h"
#include "text/tokenizer_json/splicer.h"
#include "text/tokenizer_json/unicode.h"
#include "text/utf8.h"

namespace tenon::text::tokenizer_json {
namespace {

using Made = Result<std::unique_ptr<PreTokenizer>>;

// Every character for which `is` holds is a match.
template <typename Is>
Result<void> SplitAtCharacters(Pieces* pieces, SplitBehavior behavior, const Is& is) {
  return SplitPieces(pieces, behavior, false,
                     [&](std::string_view piece, const auto& match) -> Result<void> {
                       for (size_t at = 0; at < piece.size();) {
                         const Utf8Step step = DecodeUtf8(piece, at);
                         if (is(step.character)) match(at, at + step.bytes);
                         at += step.bytes;
                       }
                       return {};
                     });
}

class Split final : public PreTokenizer {
 public:
  Split(Pattern pattern, SplitBehavior behavior, bool invert)
      : pattern_(std::move(pattern)), behavior_(behavior), invert_(invert) {}
  Result<void> Run(Pieces* pieces) const override {
    return SplitPieces(pieces, behavior_, invert_,
                       [this](std::string_view piece, const auto& match) -> Result<void> {
                         Pattern::Walk walk(pattern_, piece);
                         while (true) {
                           const auto found = walk.Next();
                           if (!found.ok()) return found.error();
                           if (!*found) return {};
                           match(walk.begin(), walk.end());
                         }
                       });
  }

 private:
  Pattern pattern_;
  SplitBehavior behavior_;
  bool invert_;
};

Made ReadSplit(Fields& fields) {
  const Node pattern = fields.Child("pattern");
  const SplitBehavior behavior = ReadBehavior(fields, "behavior");
  const bool invert = fields.FlagOr("invert", false);
  TENON_RETURN_IF_ERROR(fields.Done());
  auto read = Pattern::Read(pattern);
  if (!read.ok()) return read.error();
  return std::unique_ptr<PreTokenizer>(std::make_unique<Split>(*std::move(read), behavior, invert));
}

class BertPreTokenizer final : public PreTokenizer {
 public:
  Result<void> Run(Pieces* pieces) const override {
    TENON_RETURN_IF_ERROR(SplitAtCharacters(pieces, SplitBehavior::kRemoved, IsWhiteSpace));
    return SplitAtCharacters(pieces, SplitBehavior::kIsolated, IsPunctuation);
  }
};

class WhitespaceSplit final : public PreTokenizer {
 public:
  Result<void> Run(Pieces* pieces) const override {
    return SplitAtCharacters(pieces, SplitBehavior::kRemoved, IsWhiteSpace);
  }
};

// Matches \w+|[^\w\s]+.
class Whitespace final : public PreTokenizer {
 public:
  Result<void> Run(Pieces* pieces) const override {
    return SplitPieces(pieces, SplitBehavior::kRemoved, true,
                       [](std::string_view piece, const auto& match) -> Result<void> {
                         Kind last = kSpace;
                         size_t begin = 0, at = 0;
                         while (at < piece.size()) {
                           const Utf8Step step = DecodeUtf8(piece, at);
                           const Kind kind = KindOfCharacter(step.character);
                           if (kind != last && last != kSpace) match(begin, at);
                           if (kind != last) begin = at;
                           last = kind;
                           at += step.bytes;
                         }
                         if (last != kSpace) match(begin, at);
                         return {};
                       });
  }

 private:
  enum Kind { kSpace, kWord, kOther };
  static Kind KindOfCharacter(char32_t c) {
    return IsWordCharacter(c) ? kWord : IsWhiteSpace(c) ? kSpace : kOther;
  }
};

class Digits final : public PreTokenizer {
 public:
  explicit Digits(bool individual) : individual_(individual) {}
  Result<void> Run(Pieces* pieces) const override {
    return SplitAtCharacters(
        pieces, individual_ ? SplitBehavior::kIsolated : SplitBehavior::kContiguous, IsNumeric);
  }

 private:
  bool individual_;
};

class Punctuation final : public PreTokenizer {
 public:
  explicit Punctuation(SplitBehavior behavior) : behavior_(behavior) {}
  Result<void> Run(Pieces* pieces) const override {
    return SplitAtCharacters(pieces, behavior_, IsPunctuation);
  }

 private:
  SplitBehavior behavior_;
};

template <typename Kind>
Made ReadPlain(Fields& fields) {
  TENON_RETURN_IF_ERROR(fields.Done());
  return std::unique_ptr<PreTokenizer>(std::make_unique<Kind>());
}

Made ReadDigits(Fields& fields) {
  const bool individual = fields.FlagOr("individual_digits", false);
  TENON_RETURN_IF_ERROR(fields.Done());
  return std::unique_ptr<PreTokenizer>(std::make_unique<Digits>(individual));
}

Made ReadPunctuation(Fields& fields) {
  const SplitBehavior behavior =
      fields.Has("behavior") ? ReadBehavior(fields, "behavior") : SplitBehavior::kIsolated;
  TENON_RETURN_IF_ERROR(fields.Done());
  return std::unique_ptr<PreTokenizer>(std::make_unique<Punctuation>(behavior));
}

class Sequence final : public PreTokenizer {
 public:
  explicit Sequence(std::vector<std::unique_ptr<PreTokenizer>> steps) : steps_(std::move(steps)) {}
  Result<void> Run(Pieces* pieces) const override {
    for (const auto& step : steps_) TENON_RETURN_IF_ERROR(step->Run(pieces));
    return {};
  }

 private:
  std::vector<std::unique_ptr<PreTokenizer>> steps_;
};

// Nested sequences go as deep as the document, which the parser bounds.
Made ReadSequence(Fields& fields) {
  const std::vector<Node> nodes = fields.List("pretokenizers");
  TENON_RETURN_IF_ERROR(fields.Done());
  std::vector<std::unique_ptr<PreTokenizer>> steps;
  for (const Node& node : nodes) {
    auto step = ReadPreTokenizer(node);
    if (!step.ok()) return step.error();
    steps.push_back(*std::move(step));
  }
  return std::unique_ptr<PreTokenizer>(std::make_unique<Sequence>(std::move(steps)));
}

// In the order of kPreTokenizerKinds.
constexpr Made (*kReaders[])(Fields&) = {ReadPlain<BertPreTokenizer>,
                                         ReadByteLevelSplit,
                                         ReadDigits,
                                         ReadMetaspace,
                                         ReadPunctuation,
                                         ReadSequence,
                                         ReadSplit,
                                         ReadPlain<Whitespace>,
                                         ReadPlain<WhitespaceSplit>};
static_assert(std::size(kReaders) == std::size(kPreTokenizerKinds));

}  // namespace

void Pieces::Reset(std::string&& whole, bool starts) {
  text = std::move(whole);
  list.clear();
  if (!text.empty()) list.push_back({0, static_cast<uint32_t>(text.size())});
  starts_text = starts;
}

Result<std::unique_ptr<PreTokenizer>> ReadPreTokenizer(const Node& node) {
  const auto type = TypeOf(node);
  if (!type.ok()) return type.error();
  const auto kind = KindOf(node, *type, kPreTokenizerKinds);
  if (!kind.ok()) return kind.error();
  Fields fields(node);
  fields.Ignore("type");
  return kReaders[*kind](fields);
}

}  // namespace tenon::text::tokenizer_json
