// SPDX-License-Identifier: Apache-2.0
#include "apps/openai/generation_fields.h"

#include <charconv>
#include <random>

#include "fmt/format.h"

namespace tenon::apps::openai {
namespace {

constexpr size_t kMaxStopTokens = 256;
constexpr size_t kMaxNameBytes = 256;  // of model, user, cache_salt

int32_t Whole(std::optional<int64_t> value, int32_t otherwise) {
  return value ? static_cast<int32_t>(*value) : otherwise;
}

float Real(std::optional<double> value) { return value ? static_cast<float>(*value) : NAN; }

void ReadSampling(Fields& fields, SamplingParams* out, bool* seeded) {
  out->temperature = Real(fields.Number("temperature", 0, 100));
  out->top_p = Real(fields.Number("top_p", 0, 1));
  out->min_p = Real(fields.Number("min_p", 0, 1));
  // -1 says "all" to vLLM's clients, as 0 does here.
  const auto top_k = fields.Integer("top_k", -1, 1 << 30);
  if (top_k) out->top_k = static_cast<int32_t>(std::max<int64_t>(0, *top_k));
  out->repetition_penalty = Real(fields.Number("repetition_penalty", 0.01, 100));
  out->presence_penalty = Real(fields.Number("presence_penalty", -2, 2));
  out->frequency_penalty = Real(fields.Number("frequency_penalty", -2, 2));
  const auto seed = fields.Integer("seed", INT64_MIN, INT64_MAX);
  *seeded = seed.has_value();
  if (seed) {
    out->seed = static_cast<uint64_t>(*seed);
  } else {
    std::random_device random;
    out->seed = uint64_t{random()} << 32 | random();
  }
}

void ReadBias(Fields& fields, const RequestCaps& caps, std::vector<TokenBias>* out) {
  const JsonValue::Object* map = fields.Object("logit_bias");
  if (map == nullptr) return;
  if (map->size() > static_cast<size_t>(caps.logit_bias)) {
    return fields.Refuse("logit_bias", fmt::format("logit_bias names {} tokens; at most {} allowed",
                                                   map->size(), caps.logit_bias));
  }
  Fields entries(*map, "logit_bias.");
  for (const auto& [key, value] : *map) {
    int32_t id = -1;
    const auto read = std::from_chars(key.data(), key.data() + key.size(), id);
    if (read.ec != std::errc() || read.ptr != key.data() + key.size() || id < 0) {
      return fields.Refuse("logit_bias",
                           "logit_bias has a key that is no token id; {\"50256\": -100} is how "
                           "one is written");
    }
    const auto bias = entries.Number(key, -100, 100);
    if (bias) out->push_back({id, static_cast<float>(*bias)});
    if (!bias && entries.ok()) entries.RefuseKind(key, value, "a number from -100 to 100");
    if (!entries.ok()) return fields.Refuse("logit_bias", entries.error().message);
  }
}

void ReadStop(Fields& fields, const RequestCaps& caps, std::vector<std::string>* out) {
  const JsonValue* stop = fields.Any("stop");
  if (stop == nullptr) return;
  const JsonValue::Array* several = stop->AsArray();
  if (several == nullptr && stop->AsString() == nullptr) {
    return fields.RefuseKind("stop", *stop, "a string or an array of strings");
  }
  const size_t count = several != nullptr ? several->size() : 1;
  if (count > static_cast<size_t>(caps.stop)) {
    return fields.Refuse("stop",
                         fmt::format("stop has {} strings; at most {} allowed", count, caps.stop));
  }
  for (size_t i = 0; i < count; ++i) {
    const JsonValue& one = several != nullptr ? (*several)[i] : *stop;
    const std::string* text = one.AsString();
    if (text == nullptr) return fields.RefuseKind("stop", one, "a string in each place");
    if (text->empty() || text->size() > static_cast<size_t>(caps.stop_bytes)) {
      return fields.Refuse("stop", fmt::format("stop has a string of {} bytes; 1 to {} allowed",
                                               text->size(), caps.stop_bytes));
    }
    out->push_back(*text);
  }
}

// Fields that need a component which turns a grammar into masks.
void RefuseConstraints(Fields& fields) {
  const auto lacks = [&](std::string_view name, std::string_view what) {
    fields.Refuse(name, fmt::format("{} needs a decoding component that constrains tokens{}; this "
                                    "pipeline's `decoding:` has none",
                                    name, what));
  };
  if (const JsonValue::Object* format = fields.Object("response_format")) {
    const JsonValue* type = nullptr;
    for (const auto& [key, value] : *format) {
      if (key == "type") type = &value;
    }
    const std::string* name = type == nullptr ? nullptr : type->AsString();
    if (name == nullptr || (*name != "text" && *name != "json_object" && *name != "json_schema")) {
      fields.Refuse("response_format",
                    "response_format.type is none of text, json_object, json_schema");
    } else if (*name != "text") {
      lacks("response_format", " (a constraint)");
    }
  }
  for (const char* name :
       {"structured_outputs", "guided_json", "guided_regex", "guided_choice", "guided_grammar"}) {
    if (fields.Any(name) != nullptr) lacks(name, " (a constraint)");
  }
  for (const char* name : {"tools", "functions"}) {
    const JsonValue::Array* tools = fields.Array(name);
    if (tools != nullptr && !tools->empty()) lacks(name, " (a constraint for tool calls)");
  }
  const JsonValue* choice = fields.Any("tool_choice");
  const std::string* word = choice == nullptr ? nullptr : choice->AsString();
  if (choice != nullptr && word == nullptr && choice->AsObject() == nullptr) {
    fields.RefuseKind("tool_choice", *choice, "none, auto, required or a function");
  } else if (word != nullptr && *word != "none" && *word != "auto" && *word != "required") {
    fields.Refuse("tool_choice", "tool_choice is none of none, auto, required");
  } else if (choice != nullptr && (word == nullptr || *word == "required")) {
    lacks("tool_choice", " (a constraint for tool calls)");
  }
}

// What no client may bring along.
void RefuseForeign(Fields& fields) {
  for (const char* name : {"chat_template", "template", "adapter_path", "lora_path", "plugin",
                           "plugins", "pipeline"}) {
    if (fields.Any(name) == nullptr) continue;
    fields.Refuse(name, fmt::format("{} is the server's to choose; a request cannot", name));
  }
}

void ReadStreaming(Fields& fields, GenerationFields* out) {
  out->stream = fields.Flag("stream").value_or(false);
  const JsonValue::Object* options = fields.Object("stream_options");
  if (options == nullptr) return;
  if (!out->stream) {
    return fields.Refuse("stream_options", "stream_options is allowed only with stream: true");
  }
  Fields inner(*options, "stream_options.");
  out->include_usage = inner.Flag("include_usage").value_or(false);
  if (!inner.ok()) fields.Refuse("stream_options", inner.error().message);
}

void ReadLengths(Fields& fields, GenerationFields* out) {
  const auto old = fields.Integer("max_tokens", 1, INT32_MAX);
  const auto given = fields.Integer("max_completion_tokens", 1, INT32_MAX);
  if (given) out->max_tokens_field = "max_completion_tokens";
  if (given || old) out->max_tokens = Whole(given ? given : old, 0);
  out->min_tokens = Whole(fields.Integer("min_tokens", 0, INT32_MAX), 0);
  if (out->max_tokens && out->min_tokens > *out->max_tokens) {
    fields.Refuse("min_tokens",
                  fmt::format("min_tokens is {}; at most {} ({}) allowed", out->min_tokens,
                              *out->max_tokens, out->max_tokens_field));
  }
}

}  // namespace

std::string ReadName(Fields& fields, std::string_view name) {
  const std::string* text = fields.Text(name);
  if (text == nullptr) return {};
  if (text->size() > kMaxNameBytes) {
    fields.Refuse(name, fmt::format("{} has {} bytes; at most {} allowed", name, text->size(),
                                    kMaxNameBytes));
  }
  return *text;
}

GenerationFields ReadGeneration(Fields& fields, const RequestCaps& caps) {
  GenerationFields out;
  out.model = ReadName(fields, "model");
  out.user = ReadName(fields, "user");
  out.cache_salt = ReadName(fields, "cache_salt");
  ReadSampling(fields, &out.sampling, &out.seeded);
  ReadBias(fields, caps, &out.bias);
  ReadStop(fields, caps, &out.stop);
  if (const JsonValue::Array* ids = fields.Array("stop_token_ids")) {
    if (ids->size() > kMaxStopTokens) {
      fields.Refuse("stop_token_ids", fmt::format("stop_token_ids has {} ids; at most {} allowed",
                                                  ids->size(), kMaxStopTokens));
    } else {
      ReadIds(*ids, "stop_token_ids", INT32_MAX, fields, &out.stop_token_ids);
    }
  }
  ReadLengths(fields, &out);
  out.n = out.best_of = Whole(fields.Integer("n", 1, caps.n), 1);
  out.priority = Whole(fields.Integer("priority", INT32_MIN, INT32_MAX), 0);
  out.ignore_eos = fields.Flag("ignore_eos").value_or(false);
  ReadStreaming(fields, &out);
  RefuseConstraints(fields);
  RefuseForeign(fields);
  return out;
}

void ReadChatOnly(Fields& fields, const RequestCaps& caps, GenerationFields* out) {
  const bool logprobs = fields.Flag("logprobs").value_or(false);
  const auto top = fields.Integer("top_logprobs", 0, caps.top_logprobs);
  if (top && *top > 0 && !logprobs) {
    fields.Refuse("top_logprobs", "top_logprobs is allowed only with logprobs: true");
  }
  if (logprobs) out->logprobs = Whole(top, 0);
}

void ReadCompletionOnly(Fields& fields, const RequestCaps& caps, GenerationFields* out) {
  // The OpenAI client for JavaScript sends false for none.
  const JsonValue* logprobs = fields.Any("logprobs");
  if (logprobs != nullptr && (logprobs->AsBool() == nullptr || *logprobs->AsBool())) {
    out->logprobs = Whole(fields.Integer("logprobs", 0, caps.top_logprobs), -1);
  }
  if (fields.Any("suffix") != nullptr) {
    fields.Refuse("suffix", "suffix needs a model trained to fill in; none is served");
  }
  const auto best_of = fields.Integer("best_of", 1, caps.n);
  if (!best_of) return;
  out->best_of = Whole(best_of, 1);
  if (out->best_of < out->n) {
    fields.Refuse("best_of",
                  fmt::format("best_of is {}; at least n ({}) allowed", *best_of, out->n));
  } else if (out->best_of > out->n && out->stream) {
    fields.Refuse("best_of", "best_of cannot be streamed: which are best shows at the end");
  }
}

bool ReadIds(const JsonValue::Array& array, std::string_view name, int32_t vocabulary,
             Fields& fields, std::vector<int32_t>* out) {
  out->reserve(array.size());
  for (const JsonValue& item : array) {
    const int64_t* id = item.AsInt();
    if (id == nullptr || *id < 0 || *id >= vocabulary) {
      fields.Refuse(name, fmt::format("{} holds {}; token ids from 0 to {} wanted", name,
                                      item.Kind(), vocabulary - 1));
      return false;
    }
    out->push_back(static_cast<int32_t>(*id));
  }
  return true;
}

void CheckIds(const GenerationFields& generation, int32_t vocabulary, Fields& fields) {
  const auto refuse = [&](std::string_view name, int32_t id) {
    fields.Refuse(
        name, fmt::format("{} holds {}; token ids from 0 to {} wanted", name, id, vocabulary - 1));
  };
  for (const TokenBias& bias : generation.bias) {
    if (bias.token >= vocabulary) refuse("logit_bias", bias.token);
  }
  for (const int32_t id : generation.stop_token_ids) {
    if (id >= vocabulary) refuse("stop_token_ids", id);
  }
}

}  // namespace tenon::apps::openai
