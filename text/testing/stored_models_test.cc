// SPDX-License-Identifier: Apache-2.0
#include "text/testing/stored_models_test.h"

#include <cstdlib>
#include <filesystem>

#include "models/tokenizer_source.h"
#include "models/weights/gguf.h"

namespace tenon::text::testing {

std::string StoredModel(const std::string& name) {
  const char* home = std::getenv("TENON_HOME");
  const char* user = std::getenv("HOME");
  const std::string base =
      home != nullptr ? home : std::string(user != nullptr ? user : "") + "/.cache/tenon";
  const std::string path = base + "/models/" + name + ".gguf";
  return std::filesystem::exists(path) ? path : std::string();
}

Result<Vocabulary> ReadVocabulary(const std::string& path) {
  const auto file = models::GgufFile::Open(path);
  TENON_RETURN_IF_ERROR(file);
  const auto source = models::ReadTokens(file->Metadata());
  TENON_RETURN_IF_ERROR(source);
  Vocabulary v;
  v.kind = source->kind;
  v.pre = source->pre;
  v.tokens.assign(source->tokens.begin(), source->tokens.end());
  v.scores = source->scores;
  for (const int32_t type : source->types) v.types.push_back(static_cast<TokenType>(type));
  v.merges.assign(source->merges.begin(), source->merges.end());
  v.bos = source->bos;
  v.eos = source->eos;
  v.eot = source->eot;
  v.unk = source->unk;
  v.pad = source->pad;
  v.more_eos = source->more_eos;
  v.add_bos = source->add_bos;
  v.add_eos = source->add_eos;
  v.add_space_prefix = source->add_space_prefix;
  v.chat_template = source->chat_template;
  return v;
}

}  // namespace tenon::text::testing
