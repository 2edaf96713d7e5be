// SPDX-License-Identifier: Apache-2.0
#include "text/sentencepiece_model.h"
#include "text/byte_token.h"

#include <sentencepiece_processor.h>

#include <charconv>
#include <exception>
#include <fstream>

#include "text/sentencepiece_file.h"
#include "text/special_tokens.h"
#include "text/tokenizer_json/tokenizer_config.h"

// Exported by the library, but declared in none of its installed headers.
namespace sentencepiece::logging {
void SetMinLogLevel(int level);
}

namespace tenon::text {
namespace {

constexpr std::string_view kSpaceMark = "\xE2\x96\x81";  // U+2581
constexpr size_t kMaxTemplateBytes = size_t{4} << 20;

using Processor = sentencepiece::SentencePieceProcessor;

// Runs what calls the library; its failures and exceptions become errors.
template <typename Call>
Result<void> Guarded(const std::string& what, const Call& call) {
  try {
    const sentencepiece::util::Status status = call();
    if (status.ok()) return {};
    return Error{Status::kInvalid, what + ": " + status.ToString()};
  } catch (const std::exception& problem) {
    return Error{Status::kInvalid, what + ": " + problem.what()};
  } catch (...) {
    return Error{Status::kInvalid, what + ": failed"};
  }
}

class LibraryEncoder final : public TextEncoder {
 public:
  LibraryEncoder(std::unique_ptr<const Processor> processor, SpecialTokens special)
      : processor_(std::move(processor)), special_(std::move(special)) {}

  Result<void> Encode(std::string_view text, bool parse_special,
                      std::vector<int32_t>* ids) const override {
    if (text.size() > kMaxSentencePieceTextBytes) {
      return Error{Status::kInvalid, "text of " + std::to_string(text.size()) +
                                         " bytes is too long for a SentencePiece model; " +
                                         std::to_string(kMaxSentencePieceTextBytes) + " allowed"};
    }
    for (size_t at = 0; at < text.size();) {
      SpecialTokens::Match match{text.size(), 0, -1};
      if (parse_special) match = special_.Find(text, at);
      std::vector<int> part;
      TENON_RETURN_IF_ERROR(Guarded("encoding text with SentencePiece", [&] {
        return processor_->Encode(text.substr(at, match.begin - at), &part);
      }));
      ids->insert(ids->end(), part.begin(), part.end());
      if (match.id >= 0) ids->push_back(match.id);
      at = match.begin + match.bytes;
    }
    return {};
  }

 private:
  std::unique_ptr<const Processor> processor_;  // thread-safe once loaded
  SpecialTokens special_;                       // found only where asked for
};

class PieceDecoder final : public TokenDecoder {
 public:
  PieceDecoder(bool bytes, bool drops_space) : bytes_(bytes), drops_space_(drops_space) {}

  std::string Bytes(std::string_view token, bool first, bool) const override {
    if (const int byte = bytes_ ? ByteOfToken(token) : -1; byte >= 0) {
      return std::string(1, static_cast<char>(byte));
    }
    if (first && drops_space_ && token.starts_with(kSpaceMark)) {
      token.remove_prefix(kSpaceMark.size());
    }
    std::string text;
    while (true) {
      const size_t mark = token.find(kSpaceMark);
      text += token.substr(0, mark);
      if (mark == std::string_view::npos) return text;
      text += ' ';
      token.remove_prefix(mark + kSpaceMark.size());
    }
  }
  bool ReplacesByteByByte() const override { return true; }
  std::vector<std::unique_ptr<TextFilter>> Filters(bool) const override { return {}; }

 private:
  bool bytes_;
  bool drops_space_;
};

// Appends the tokens that only tokenizer_config.json lists, behind the model's.
Result<void> AppendAdded(const std::vector<tokenizer_json::AddedToken>& added,
                         const std::string& name, Vocabulary* v) {
  for (const auto& token : added) {
    const auto id = static_cast<size_t>(token.id);
    if (id < v->tokens.size() && v->tokens[id] == token.content) continue;
    if (id != v->tokens.size()) {
      return Error{Status::kInvalid, name + ": tokenizer_config.json gives \"" +
                                         token.content.substr(0, 64) + "\" the id " +
                                         std::to_string(id) + "; " +
                                         std::to_string(v->tokens.size()) + " is the next free"};
    }
    v->tokens.push_back(token.content);
    v->scores.push_back(0);
    v->types.push_back(token.special ? TokenType::kControl : TokenType::kUserDefined);
  }
  return {};
}

int32_t Chosen(int32_t said, int32_t own) { return said >= 0 ? said : own; }

// REQUIRES: a file that was checked
Result<Tokenizer> Make(std::string_view model, const std::string& name, SentencePieceFile file,
                       const SentencePieceFiles& files,
                       const tokenizer_json::TokenizerConfig& config) {
  auto processor = std::make_unique<Processor>();
  sentencepiece::logging::SetMinLogLevel(2);
  TENON_RETURN_IF_ERROR(Guarded(name, [&] { return processor->LoadFromSerializedProto(model); }));
  TokenizerParts parts;
  Vocabulary& v = parts.vocabulary;
  v.kind = std::string(kTokenizerJson);
  v.tokens = std::move(file.pieces);
  v.scores = std::move(file.scores);
  v.types = std::move(file.types);
  const size_t own = v.tokens.size();
  TENON_RETURN_IF_ERROR(AppendAdded(config.added, name, &v));
  v.bos = Chosen(files.bos, processor->bos_id());
  v.eos = Chosen(files.eos, processor->eos_id());
  v.pad = Chosen(files.pad, processor->pad_id());
  v.unk = processor->unk_id();
  v.more_eos = files.more_eos;
  v.add_bos = config.add_bos.value_or(v.bos >= 0);
  v.add_eos = config.add_eos.value_or(false);
  v.chat_template = config.chat_template;
  if (v.add_bos) parts.before.push_back(v.bos);
  if (v.add_eos) parts.after.push_back(v.eos);
  std::string unknown;
  TENON_RETURN_IF_ERROR(
      Guarded(name, [&] { return processor->Decode(std::vector<int>{v.unk}, &unknown); }));
  parts.decoded_as[v.unk] = unknown;
  std::vector<std::pair<std::string, int32_t>> special;
  for (size_t id = 0; id < v.tokens.size(); ++id) {
    if (id >= own || v.types[id] == TokenType::kControl || v.types[id] == TokenType::kUnknown) {
      special.emplace_back(v.tokens[id], static_cast<int32_t>(id));
    }
  }
  parts.encoder =
      std::make_unique<LibraryEncoder>(std::move(processor), SpecialTokens(std::move(special)));
  parts.decoder = std::make_unique<PieceDecoder>(file.byte_fallback,
                                                 file.add_dummy_prefix || file.remove_extra_spaces);
  auto made = Tokenizer::Make(std::move(parts));
  if (!made.ok()) return Error{made.error().status, name + ": " + made.error().message};
  return made;
}

Result<std::string> ReadFile(const std::string& path, size_t most) {
  std::ifstream file(path, std::ios::binary);
  std::string bytes;
  char buffer[1 << 16];
  while (bytes.size() <= most && (file.read(buffer, sizeof(buffer)), file.gcount() > 0)) {
    bytes.append(buffer, static_cast<size_t>(file.gcount()));
  }
  if (!file.is_open()) return Error{Status::kNotFound, path + ": cannot be opened"};
  if (bytes.size() > most) {
    return Error{Status::kInvalid,
                 path + ": more than the " + std::to_string(most) + " bytes allowed"};
  }
  return bytes;
}

}  // namespace

Result<Tokenizer> ParseSentencePiece(std::string_view model, const std::string& name,
                                     const SentencePieceFiles& files) {
  auto file = ParseSentencePieceFile(model, name);
  if (!file.ok()) return file.error();
  tokenizer_json::TokenizerConfig config;
  if (!files.tokenizer_config_json.empty()) {
    const auto document = tokenizer_json::ReadJson(files.tokenizer_config_json);
    if (!document.ok()) return document.error();
    auto read =
        tokenizer_json::ReadTokenizerConfig({&*document, files.tokenizer_config_json + ":"});
    if (!read.ok()) return read.error();
    config = *std::move(read);
  }
  if (!files.chat_template_jinja.empty()) {
    auto text = ReadFile(files.chat_template_jinja, kMaxTemplateBytes);
    if (!text.ok()) return text.error();
    config.chat_template = *std::move(text);
  }
  return Make(model, name, *std::move(file), files, config);
}

Result<Tokenizer> OpenSentencePiece(const SentencePieceFiles& files) {
  const auto model = ReadFile(files.model, kMaxSentencePieceFileBytes);
  if (!model.ok()) return model.error();
  return ParseSentencePiece(*model, files.model, files);
}

}  // namespace tenon::text
