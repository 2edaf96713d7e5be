// SPDX-License-Identifier: Apache-2.0
#include <optional>

#include "text/tokenizer_json/normalizers.h"
#include "text/tokenizer_json/pre_tokenizers.h"
#include "text/tokenizer_json/regex.h"
#include "text/tokenizer_json/splicer.h"
#include "text/utf8.h"

namespace tenon::text::tokenizer_json {
namespace {

// GPT-2's words.
constexpr std::string_view kWords =
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

// Writes every piece anew: `rewrite` is a callable (std::string_view piece, bool first, out).
template <typename Rewrite>
Result<void> RewritePieces(Pieces* pieces, const Rewrite& rewrite) {
  std::string text;
  text.reserve(pieces->text.size() + pieces->list.size() + 16);
  for (size_t i = 0; i < pieces->list.size(); ++i) {
    const auto begin = static_cast<uint32_t>(text.size());
    rewrite(pieces->At(i), i == 0 && pieces->starts_text, &text);
    if (text.size() > kMaxNormalBytes) return NormalTextTooLong();
    pieces->list[i] = {begin, static_cast<uint32_t>(text.size())};
  }
  pieces->text.swap(text);
  return {};
}

class ByteLevel final : public PreTokenizer {
 public:
  ByteLevel(bool add_space, std::optional<Pattern> words)
      : add_space_(add_space), words_(std::move(words)) {}

  Result<void> Run(Pieces* pieces) const override {
    if (add_space_) {
      TENON_RETURN_IF_ERROR(
          RewritePieces(pieces, [](std::string_view piece, bool, std::string* out) {
            if (!piece.starts_with(' ')) out->push_back(' ');
            out->append(piece);
          }));
    }
    if (words_) {
      TENON_RETURN_IF_ERROR(
          SplitPieces(pieces, SplitBehavior::kIsolated, false,
                      [this](std::string_view piece, const auto& match) -> Result<void> {
                        Pattern::Walk walk(*words_, piece);
                        while (true) {
                          const auto found = walk.Next();
                          if (!found.ok()) return found.error();
                          if (!*found) return {};
                          match(walk.begin(), walk.end());
                        }
                      }));
    }
    return RewritePieces(pieces, [](std::string_view piece, bool, std::string* out) {
      AppendByteLetters(piece, out);
    });
  }

 private:
  bool add_space_;
  std::optional<Pattern> words_;
};

class Metaspace final : public PreTokenizer {
 public:
  Metaspace(std::string mark, PrependScheme scheme, Pattern at, bool split)
      : mark_(std::move(mark)), scheme_(scheme), at_(std::move(at)), split_(split) {}

  Result<void> Run(Pieces* pieces) const override {
    TENON_RETURN_IF_ERROR(
        RewritePieces(pieces, [this](std::string_view piece, bool first, std::string* out) {
          const bool marked = piece.starts_with(' ') || piece.starts_with(mark_);
          const bool wanted =
              scheme_ == PrependScheme::kAlways || (scheme_ == PrependScheme::kFirst && first);
          if (wanted && !marked) out->append(mark_);
          for (const char c : piece) c == ' ' ? (void)out->append(mark_) : out->push_back(c);
        }));
    if (!split_) return {};
    return SplitPieces(pieces, SplitBehavior::kMergedWithNext, false,
                       [this](std::string_view piece, const auto& match) -> Result<void> {
                         Pattern::Walk walk(at_, piece);
                         while (*walk.Next()) match(walk.begin(), walk.end());
                         return {};
                       });
  }

 private:
  std::string mark_;  // one character
  PrependScheme scheme_;
  Pattern at_;  // the mark
  bool split_;
};

}  // namespace

PrependScheme ReadPrependScheme(Fields& fields) {
  const bool add = fields.FlagOr("add_prefix_space", true);
  const std::string name = fields.TextOr("prepend_scheme", add ? "always" : "never");
  if (name == "never") return PrependScheme::kNever;
  if (!add || (name != "always" && name != "first")) {
    fields.Fail(
        fields.Child("prepend_scheme")
            .Wrong(add ? "always, first or never" : "never, since add_prefix_space is false,"));
  }
  return name == "first" ? PrependScheme::kFirst : PrependScheme::kAlways;
}

Result<std::unique_ptr<PreTokenizer>> ReadByteLevelSplit(Fields& fields) {
  const bool add_space = fields.FlagOr("add_prefix_space", true);
  const bool use_regex = fields.FlagOr("use_regex", true);
  fields.FlagOr("trim_offsets", true);  // of offsets, which are not kept
  TENON_RETURN_IF_ERROR(fields.Done());
  std::optional<Pattern> words;
  if (use_regex) {
    auto pattern = Pattern::Regex(kWords);
    if (!pattern.ok()) return pattern.error();
    words = *std::move(pattern);
  }
  return std::unique_ptr<PreTokenizer>(std::make_unique<ByteLevel>(add_space, std::move(words)));
}

Result<std::unique_ptr<PreTokenizer>> ReadMetaspace(Fields& fields) {
  std::string mark;
  AppendUtf8(fields.Character("replacement"), &mark);
  const PrependScheme scheme = ReadPrependScheme(fields);
  const bool split = fields.FlagOr("split", true);
  fields.Ignore("str_rep");  // the mark once more
  TENON_RETURN_IF_ERROR(fields.Done());
  auto pattern = Pattern::Text(mark);
  if (!pattern.ok()) return pattern.error();
  return std::unique_ptr<PreTokenizer>(
      std::make_unique<Metaspace>(mark, scheme, *std::move(pattern), split));
}

}  // namespace tenon::text::tokenizer_json
