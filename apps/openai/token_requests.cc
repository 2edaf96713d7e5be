// SPDX-License-Identifier: Apache-2.0
#include "apps/openai/token_requests.h"

#include "apps/openai/chat_prompt.h"
#include "apps/openai/generation_fields.h"
#include "apps/openai/json_text.h"
#include "text/utf8.h"

namespace tenon::apps::openai {
namespace {

std::string TokensJson(const ServedModel& model, const std::vector<int32_t>& ids, bool strings) {
  std::string out = "{\"count\":";
  AppendNumber(static_cast<int64_t>(ids.size()), &out);
  out += ",\"max_model_len\":";
  AppendNumber(model.facts.generates ? model.facts.max_context : model.facts.embedding_max_tokens,
               &out);
  out += ",\"tokens\":[";
  for (size_t i = 0; i < ids.size(); ++i) {
    if (i > 0) out += ',';
    AppendNumber(ids[i], &out);
  }
  out += strings ? "],\"token_strs\":[" : "],\"token_strs\":null}";
  if (!strings) return out;
  for (size_t i = 0; i < ids.size(); ++i) {
    if (i > 0) out += ',';
    std::string text;
    text::AppendReplacingInvalid(model.text->tokenizer.TokenText(ids[i]), &text);
    AppendQuoted(text, &out);
  }
  return out += "]}";
}

std::vector<int32_t> ReadPrompt(Fields& fields, const ModelText& text, const std::string& prompt) {
  const bool add_special = fields.Flag("add_special_tokens").value_or(true);
  auto ids = text.tokenizer.Encode(prompt, {.parse_special = true, .add_special = add_special});
  if (ids.ok()) return *std::move(ids);
  fields.Refuse("prompt", ids.error().message);
  return {};
}

std::optional<NamedModel> Find(Fields& fields, const RequestContext& context, ApiError* error) {
  const std::string name = ReadName(fields, "model");
  if (fields.ok()) return FindModel(context, name, {}, ModelUse::kEither, error);
  *error = fields.error();
  return std::nullopt;
}

}  // namespace

std::optional<std::string> Tokenize(Fields& fields, const RequestContext& context,
                                    ApiError* error) {
  const auto named = Find(fields, context, error);
  if (!named) return std::nullopt;
  const ModelText& text = *named->model->text;
  const bool strings = fields.Flag("return_token_strs").value_or(false);
  std::vector<int32_t> ids;
  if (const std::string* prompt = fields.Text("prompt")) {
    ids = ReadPrompt(fields, text, *prompt);
  } else if (fields.Any("messages") != nullptr) {
    const bool open = fields.Flag("add_generation_prompt").value_or(true);
    ids = ReadChatPrompt(fields, text, open, context.caps);
  } else {
    fields.Refuse("prompt", "prompt is missing, and so is messages");
  }
  if (fields.ok()) return TokensJson(*named->model, ids, strings);
  *error = fields.error();
  return std::nullopt;
}

std::optional<std::string> Detokenize(Fields& fields, const RequestContext& context,
                                      ApiError* error) {
  const auto named = Find(fields, context, error);
  if (!named) return std::nullopt;
  const text::Tokenizer& tokenizer = named->model->text->tokenizer;
  std::vector<int32_t> ids;
  if (const JsonValue::Array* tokens = fields.Array("tokens")) {
    ReadIds(*tokens, "tokens", tokenizer.vocab_size(), fields, &ids);
  } else {
    fields.Refuse("tokens", "tokens is missing");
  }
  if (!fields.ok()) {
    *error = fields.error();
    return std::nullopt;
  }
  std::string out = "{\"prompt\":";
  AppendQuoted(tokenizer.Decode(ids), &out);
  return out += '}';
}

}  // namespace tenon::apps::openai
