// SPDX-License-Identifier: Apache-2.0
#include "apps/assemble/open_model.h"

#include <filesystem>

#include "apps/pull/pull.h"
#include "core/pipeline/pipeline.h"
#include "models/load.h"
#include "text/sentencepiece_model.h"
#include "text/tokenizer_json/tokenizer_json.h"

namespace tenon::apps {
namespace {

text::Vocabulary VocabularyOf(const models::TokenizerSource& source) {
  text::Vocabulary vocabulary;
  vocabulary.kind = source.kind;
  vocabulary.pre = source.pre;
  vocabulary.tokens.assign(source.tokens.begin(), source.tokens.end());
  vocabulary.scores = source.scores;
  for (const int32_t type : source.types)
    vocabulary.types.push_back(static_cast<text::TokenType>(type));
  vocabulary.merges.assign(source.merges.begin(), source.merges.end());
  vocabulary.bos = source.bos;
  vocabulary.eos = source.eos;
  vocabulary.eot = source.eot;
  vocabulary.unk = source.unk;
  vocabulary.pad = source.pad;
  vocabulary.more_eos = source.more_eos;
  vocabulary.add_bos = source.add_bos;
  vocabulary.add_eos = source.add_eos;
  vocabulary.add_space_prefix = source.add_space_prefix;
  vocabulary.chat_template = source.chat_template;
  return vocabulary;
}

Result<text::Tokenizer> MakeTokenizer(const models::TokenizerSource& source) {
  if (source.kind.empty() && source.tokenizer_json.empty() && !source.tokenizer_model.empty()) {
    return text::OpenSentencePiece({.model = source.tokenizer_model,
                                    .tokenizer_config_json = source.tokenizer_config_json,
                                    .chat_template_jinja = source.chat_template_jinja,
                                    .bos = source.bos,
                                    .eos = source.eos,
                                    .pad = source.pad,
                                    .more_eos = source.more_eos});
  }
  if (source.kind.empty() && !source.tokenizer_json.empty()) {
    return text::OpenTokenizerJson({.tokenizer_json = source.tokenizer_json,
                                    .tokenizer_config_json = source.tokenizer_config_json,
                                    .chat_template_jinja = source.chat_template_jinja,
                                    .bos = source.bos,
                                    .eos = source.eos,
                                    .eot = source.eot,
                                    .unk = source.unk,
                                    .pad = source.pad,
                                    .more_eos = source.more_eos});
  }
  if (source.kind.empty()) {
    return Error{Status::kUnsupported, "its files hold no tokenizer"};
  }
  return text::Tokenizer::Make(VocabularyOf(source));
}

Error At(const std::string& path, Error error) {
  if (error.message.find(path) == std::string::npos) error.message = path + ": " + error.message;
  return error;
}

}  // namespace

Result<std::string> FindModel(const std::string& name) {
  const std::vector<std::string> known = KnownModelNames();
  if (std::find(known.begin(), known.end(), name) != known.end()) {
    auto path = ModelPath(name);
    TENON_RETURN_IF_ERROR(path);
    return path->string();
  }
  std::error_code ignored;
  if (core::IsModelPath(name) || std::filesystem::exists(name, ignored)) return name;
  std::string names;
  for (const std::string& one : known) names += (names.empty() ? "" : ", ") + one;
  return Error{Status::kNotFound, "model \"" + name + "\" is neither a known name (" + names +
                                      ") nor a .gguf file or folder that exists"};
}

Result<std::unique_ptr<OpenedModel>> OpenModel(const std::string& name) {
  auto path = FindModel(name);
  TENON_RETURN_IF_ERROR(path);
  auto loaded = models::LoadModel(*path);
  if (!loaded.ok()) return At(*path, loaded.error());
  auto opened = std::make_unique<OpenedModel>();
  opened->path = *path;
  const models::TokenizerSource& source = (*loaded)->Tokens();
  auto tokenizer = MakeTokenizer(source);
  if (tokenizer.ok()) {
    opened->tokenizer.emplace(std::move(*tokenizer));
  } else {
    opened->tokenizer_problem = tokenizer.error().message;
  }
  opened->more_eos = source.more_eos;
  std::string chat_template(source.chat_template);
  if (opened->tokenizer) chat_template = opened->tokenizer->vocabulary().chat_template;
  if (!chat_template.empty()) {
    auto chat = text::ChatTemplate::Parse(chat_template);
    if (!chat.ok())
      return At(*path, {chat.error().status, "its chat template: " + chat.error().message});
    opened->chat_template.emplace(std::move(*chat));
  }
  opened->model = std::move(*loaded);
  return opened;
}

Result<text::Tokenizer> OpenTokenizer(const std::string& name) {
  auto path = FindModel(name);
  TENON_RETURN_IF_ERROR(path);
  auto loaded = models::LoadModel(*path);
  if (!loaded.ok()) return At(*path, loaded.error());
  auto tokenizer = MakeTokenizer((*loaded)->Tokens());
  if (!tokenizer.ok()) return At(*path, tokenizer.error());
  return tokenizer;
}

}  // namespace tenon::apps
