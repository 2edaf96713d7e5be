// SPDX-License-Identifier: Apache-2.0
#include "text/tokenizer_json/decoders.h"

#include <functional>
#include <iterator>

#include "text/byte_token.h"
#include "text/tokenizer_json/normalizers.h"
#include "text/tokenizer_json/pre_tokenizers.h"
#include "text/tokenizer_json/regex.h"
#include "text/utf8.h"

namespace tenon::text::tokenizer_json {
namespace {

constexpr size_t kMaxReplacementBytes = 256;

using Replacements = std::vector<std::pair<std::string, std::string>>;

// Of the WordPiece decoder; transformers' own lacks "do not".
const Replacements& CleanUps() {
  static const Replacements all = {{" .", "."},     {" ?", "?"},           {" !", "!"},
                                   {" ,", ","},     {" ' ", "'"},          {" n't", "n't"},
                                   {" 'm", "'m"},   {" do not", " don't"}, {" 's", "'s"},
                                   {" 've", "'ve"}, {" 're", "'re"}};
  return all;
}

void ReplaceAll(std::string_view from, std::string_view to, std::string* text) {
  size_t at = text->find(from);
  if (at == std::string::npos) return;
  std::string out;
  size_t done = 0;
  for (; at != std::string::npos; at = text->find(from, done)) {
    out.append(*text, done, at - done).append(to);
    done = at + from.size();
  }
  text->swap(out.append(*text, done));
}

// One token on its way through the steps before Fuse.
struct Token {
  std::string text;
  bool first, last;
  bool is_bytes = false;  // text is bytes now, perhaps not whole characters
};

using Step = std::function<void(Token*)>;
using MakeFilter = std::function<std::unique_ptr<TextFilter>(bool continues)>;

class Chain final : public TokenDecoder {
 public:
  std::string Bytes(std::string_view token, bool first, bool last) const override {
    Token made{std::string(token), first, last};
    for (const Step& step : steps) step(&made);
    return std::move(made.text);
  }
  bool NeedsLast() const override { return needs_last; }
  bool ReplacesByteByByte() const override { return byte_by_byte; }
  std::vector<std::unique_ptr<TextFilter>> Filters(bool continues) const override {
    std::vector<std::unique_ptr<TextFilter>> made;
    for (const MakeFilter& make : filters) made.push_back(make(continues));
    return made;
  }

  std::vector<Step> steps;
  std::vector<MakeFilter> filters;
  bool fused = false;  // the tokens are one text from here on
  bool makes_bytes = false;
  bool needs_last = false;
  bool byte_by_byte = false;
};

Result<void> Add(const Node& node, Chain* chain);

// What takes single tokens has no meaning behind Fuse.
Result<void> NeedTokens(const Fields& fields, const Chain& chain) {
  if (!chain.fused) return {};
  return fields.node().Unsupported(
      "behind Fuse and ByteLevel only Replace with a string, Strip and Fuse are supported");
}

Result<void> AddBpeDecoder(Fields& fields, Chain* chain) {
  const std::string suffix = fields.TextOr("suffix", "</w>");
  TENON_RETURN_IF_ERROR(fields.Done());
  TENON_RETURN_IF_ERROR(NeedTokens(fields, *chain));
  if (suffix.empty()) return fields.Child("suffix").Wrong("a suffix");
  chain->needs_last = true;
  chain->steps.push_back(
      [suffix](Token* token) { ReplaceAll(suffix, token->last ? "" : " ", &token->text); });
  return {};
}

Result<void> AddByteFallback(Fields& fields, Chain* chain) {
  TENON_RETURN_IF_ERROR(fields.Done());
  TENON_RETURN_IF_ERROR(NeedTokens(fields, *chain));
  chain->byte_by_byte = chain->makes_bytes = true;
  chain->steps.push_back([](Token* token) {
    const int byte = ByteOfToken(token->text);
    if (byte < 0) return;
    token->text.assign(1, static_cast<char>(byte));
    token->is_bytes = true;
  });
  return {};
}

Result<void> AddByteLevel(Fields& fields, Chain* chain) {
  for (const char* option : {"add_prefix_space", "trim_offsets", "use_regex"}) {
    fields.FlagOr(option, true);  // of encoding
  }
  TENON_RETURN_IF_ERROR(fields.Done());
  TENON_RETURN_IF_ERROR(NeedTokens(fields, *chain));
  chain->fused = true;
  chain->steps.push_back([](Token* token) {
    std::string bytes;
    for (size_t at = 0; at < token->text.size();) {
      const Utf8Step step = DecodeUtf8(token->text, at);
      const int byte = ByteOfLetter(step.character);
      if (byte < 0) return;  // not in the alphabet: the token was added as it is
      bytes.push_back(static_cast<char>(byte));
      at += step.bytes;
    }
    token->text = std::move(bytes);
  });
  return {};
}

Result<void> AddFuse(Fields& fields, Chain* chain) {
  TENON_RETURN_IF_ERROR(fields.Done());
  chain->fused = true;
  return {};
}

Result<void> AddMetaspace(Fields& fields, Chain* chain) {
  const char32_t mark = fields.Character("replacement");
  const bool drops = ReadPrependScheme(fields) != PrependScheme::kNever;
  fields.FlagOr("split", true);
  fields.Ignore("str_rep");
  TENON_RETURN_IF_ERROR(fields.Done());
  TENON_RETURN_IF_ERROR(NeedTokens(fields, *chain));
  std::string utf8;
  AppendUtf8(mark, &utf8);
  chain->steps.push_back([utf8, drops](Token* token) {
    if (token->is_bytes) return;
    ReplaceAll(utf8, token->first && drops ? "" : " ", &token->text);
  });
  return {};
}

Result<void> AddReplace(Fields& fields, Chain* chain) {
  const Node written = fields.Child("pattern");
  const std::string content = fields.Text("content");
  TENON_RETURN_IF_ERROR(fields.Done());
  if (content.size() > kMaxReplacementBytes) {
    return fields.Child("content").Wrong("at most 256 bytes");
  }
  auto pattern = Pattern::Read(written);
  if (!pattern.ok()) return pattern.error();
  if (chain->fused) {
    if (pattern->text() == nullptr) return NeedTokens(fields, *chain);
    chain->filters.push_back(
        [from = *pattern->text(), content](bool) { return MakeReplaceFilter(from, content); });
    return {};
  }
  chain->steps.push_back([pattern = *pattern, content](Token* token) {
    if (token->is_bytes) return;
    std::string out;
    size_t done = 0;
    Pattern::Walk walk(pattern, token->text);
    for (auto found = walk.Next(); found.ok() && *found; found = walk.Next()) {
      out.append(token->text, done, walk.begin() - done).append(content);
      done = walk.end();
    }
    token->text = out.append(token->text, done);
  });
  return {};
}

Result<void> AddSequence(Fields& fields, Chain* chain) {
  const std::vector<Node> nodes = fields.List("decoders");
  TENON_RETURN_IF_ERROR(fields.Done());
  for (const Node& node : nodes) TENON_RETURN_IF_ERROR(Add(node, chain));
  return {};
}

Result<void> AddStrip(Fields& fields, Chain* chain) {
  const char32_t c = fields.Character("content");
  const auto start = static_cast<size_t>(fields.Integer("start", 0, 4096));
  const auto stop = static_cast<size_t>(fields.Integer("stop", 0, 4096));
  TENON_RETURN_IF_ERROR(fields.Done());
  if (chain->fused) {
    chain->filters.push_back(
        [=](bool continues) { return MakeStripFilter(c, continues ? 0 : start, stop); });
    return {};
  }
  if (chain->makes_bytes) {
    return fields.node().Unsupported("Strip between ByteFallback and Fuse is not supported");
  }
  chain->steps.push_back([=](Token* token) {
    const auto filter = MakeStripFilter(c, start, stop);
    token->text = filter->Push(token->text);
  });
  return {};
}

Result<void> AddWordPiece(Fields& fields, Chain* chain) {
  const std::string prefix = fields.TextOr("prefix", "##");
  const bool clean_up = fields.FlagOr("cleanup", true);
  TENON_RETURN_IF_ERROR(fields.Done());
  TENON_RETURN_IF_ERROR(NeedTokens(fields, *chain));
  chain->steps.push_back([prefix, clean_up](Token* token) {
    if (!token->first) {
      if (token->text.starts_with(prefix)) {
        token->text.erase(0, prefix.size());
      } else {
        token->text.insert(0, 1, ' ');
      }
    }
    if (!clean_up) return;
    for (const auto& [from, to] : CleanUps()) ReplaceAll(from, to, &token->text);
  });
  return {};
}

// In the order of kDecoderKinds.
constexpr Result<void> (*kReaders[])(Fields&, Chain*) = {
    AddBpeDecoder, AddByteFallback, AddByteLevel, AddFuse,     AddMetaspace,
    AddReplace,    AddSequence,     AddStrip,     AddWordPiece};
static_assert(std::size(kReaders) == std::size(kDecoderKinds));

Result<void> Add(const Node& node, Chain* chain) {
  const auto type = TypeOf(node);
  if (!type.ok()) return type.error();
  const auto kind = KindOf(node, *type, kDecoderKinds);
  if (!kind.ok()) return kind.error();
  Fields fields(node);
  fields.Ignore("type");
  return kReaders[*kind](fields, chain);
}

}  // namespace

Result<std::unique_ptr<TokenDecoder>> ReadDecoder(const Node& node, bool clean_up) {
  auto chain = std::make_unique<Chain>();
  if (node.value->is_null()) {
    chain->steps.push_back([](Token* token) {
      if (!token->first) token->text.insert(0, 1, ' ');
    });
  } else {
    TENON_RETURN_IF_ERROR(Add(node, chain.get()));
  }
  for (const auto& replacement : CleanUps()) {
    if (!clean_up || replacement.first == " do not") continue;
    chain->filters.push_back(
        [&replacement](bool) { return MakeReplaceFilter(replacement.first, replacement.second); });
  }
  return std::unique_ptr<TokenDecoder>(std::move(chain));
}

}  // namespace tenon::text::tokenizer_json
