// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <charconv>
#include <cmath>
#include <iterator>
#include <limits>

#include "apps/openai/fields.h"
#include "apps/record/line.h"
#include "fmt/format.h"

namespace tenon::apps::record {
namespace {

using openai::Fields;
using openai::JsonValue;

constexpr int32_t kDepth = 8;
constexpr int64_t kMostUs = int64_t{1} << 53;
constexpr int32_t kMost = std::numeric_limits<int32_t>::max();
constexpr size_t kMostChoices = 4096;
// The largest float as its shortest text, which lies a little above it.
constexpr double kMostReal = 3.4028235e38;

float FloatOf(double value) {
  constexpr double kLargest = std::numeric_limits<float>::max();
  return static_cast<float>(std::clamp(value, -kLargest, kLargest));
}

void Take(Fields& fields, const char* name, std::string* out) {
  if (const std::string* text = fields.Text(name)) *out = *text;
}

void Take(Fields& fields, const char* name, int64_t low, int64_t high, int64_t* out) {
  if (const auto number = fields.Integer(name, low, high)) *out = *number;
}

void Take(Fields& fields, const char* name, int32_t low, int32_t high, int32_t* out) {
  if (const auto number = fields.Integer(name, low, high)) *out = static_cast<int32_t>(*number);
}

void Take(Fields& fields, const char* name, float* out) {
  if (const auto number = fields.Number(name, -kMostReal, kMostReal)) {
    *out = FloatOf(*number);
  }
}

void TakeBits(Fields& fields, const char* name, uint64_t* out) {
  const std::string* text = fields.Text(name);
  if (text == nullptr) return;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), *out);
  if (error != std::errc{} || end != text->data() + text->size()) {
    fields.Refuse(name, fmt::format("{} is no whole number of 64 bits in quotes", name));
  }
}

void TakeIds(Fields& fields, const char* name, std::vector<int32_t>* out) {
  const JsonValue::Array* array = fields.Array(name);
  if (array == nullptr) return;
  out->reserve(array->size());
  for (const JsonValue& value : *array) {
    const int64_t* id = value.AsInt();
    if (id == nullptr || *id < 0 || *id > kMost) {
      return fields.RefuseKind(name, value, "token ids");
    }
    out->push_back(static_cast<int32_t>(*id));
  }
}

// The members of an object within `fields`, read by `read(Fields&)`; its first error is theirs.
template <typename Read>
void Within(Fields& fields, const char* name, Read read) {
  const JsonValue::Object* object = fields.Object(name);
  if (object == nullptr) return;
  Fields inner(*object, std::string(name) + ".");
  read(inner);
  if (!inner.ok()) fields.Refuse(name, inner.error().message);
}

// The same of each object of an array.
template <typename Read>
void Each(Fields& fields, const char* name, size_t most, Read read) {
  const JsonValue::Array* array = fields.Array(name);
  if (array == nullptr) return;
  if (array->size() > most) {
    return fields.Refuse(
        name, fmt::format("{} has {} entries; at most {} allowed", name, array->size(), most));
  }
  for (const JsonValue& value : *array) {
    const JsonValue::Object* object = value.AsObject();
    if (object == nullptr) return fields.RefuseKind(name, value, "objects");
    Fields inner(*object, std::string(name) + ".");
    read(inner);
    if (!inner.ok()) return fields.Refuse(name, inner.error().message);
  }
}

void ReadSampling(Fields& fields, SamplingParams* out) {
  Take(fields, "temperature", &out->temperature);
  Take(fields, "top_k", 0, kMost, &out->top_k);
  Take(fields, "top_p", &out->top_p);
  Take(fields, "min_p", &out->min_p);
  Take(fields, "repetition_penalty", &out->repetition_penalty);
  Take(fields, "presence_penalty", &out->presence_penalty);
  Take(fields, "frequency_penalty", &out->frequency_penalty);
  TakeBits(fields, "seed", &out->seed);
}

void ReadBias(Fields& fields, std::vector<TokenBias>* out) {
  const JsonValue::Array* array = fields.Array("bias");
  if (array == nullptr) return;
  for (const JsonValue& value : *array) {
    const JsonValue::Array* pair = value.AsArray();
    const bool two = pair != nullptr && pair->size() == 2;
    const int64_t* token = two ? (*pair)[0].AsInt() : nullptr;
    const int64_t* whole = two ? (*pair)[1].AsInt() : nullptr;
    const double* real = two ? (*pair)[1].AsDouble() : nullptr;
    const double bias = whole != nullptr  ? static_cast<double>(*whole)
                        : real != nullptr ? *real
                                          : 2 * kMostReal;
    if (token == nullptr || *token < 0 || *token > kMost || std::abs(bias) > kMostReal) {
      return fields.RefuseKind("bias", value, "pairs of a token id and a number");
    }
    out->push_back({static_cast<int32_t>(*token), FloatOf(bias)});
  }
}

void ReadChoice(Fields& fields, RecordedChoice* out) {
  constexpr const char* kEnds[] = {"stop", "length", "cancelled", "blocked", "error"};
  const std::string* end = fields.Text("end");
  const auto* found = std::find_if(std::begin(kEnds), std::end(kEnds), [&](std::string_view name) {
    return end != nullptr && *end == name;
  });
  if (found == std::end(kEnds)) {
    return fields.Refuse("end", "end is none of stop, length, cancelled, blocked, error");
  }
  out->end = static_cast<End>(found - std::begin(kEnds));
  Take(fields, "cached_tokens", 0, kMost, &out->cached_tokens);
  Take(fields, "first_token_us", int64_t{0}, kMostUs, &out->first_token_us);
  Take(fields, "last_token_us", int64_t{0}, kMostUs, &out->last_token_us);
  if ((out->first_token_us < 0) != (out->last_token_us < 0) ||
      out->last_token_us < out->first_token_us) {
    fields.Refuse("last_token_us",
                  "first_token_us and last_token_us are not in order, or one is missing");
  }
  Take(fields, "error", &out->error);
  Take(fields, "text", &out->text);
  TakeIds(fields, "tokens", &out->tokens);
}

void ReadAsked(Fields& fields, GenerateRequest* out) {
  Take(fields, "id", &out->id);
  Take(fields, "max_tokens", 1, kMost, &out->max_tokens);
  Take(fields, "min_tokens", 0, kMost, &out->min_tokens);
  Take(fields, "n", 1, static_cast<int32_t>(kMostChoices), &out->n);
  Take(fields, "logprobs", -1, kMost, &out->logprobs);
  Take(fields, "priority", -kMost, kMost, &out->priority);
  Take(fields, "adapter", &out->adapter);
  TakeBits(fields, "cache_salt", &out->cache_salt);
  Within(fields, "sampling", [&](Fields& inner) { ReadSampling(inner, &out->sampling); });
  ReadBias(fields, &out->bias);
  TakeIds(fields, "stop_tokens", &out->stop_tokens);
  TakeIds(fields, "prompt", &out->prompt);
  Take(fields, "user_text", &out->user_text);
  if (out->prompt.empty()) fields.Refuse("prompt", "prompt has no tokens");
}

void Read(Fields& fields, RecordedRequest* out) {
  Take(fields, "engine", 0, kMost, &out->engine);
  Take(fields, "arrival_us", int64_t{0}, kMostUs, &out->arrival_us);
  Take(fields, "cancel_us", int64_t{0}, kMostUs, &out->cancel_us);
  ReadAsked(fields, &out->request);
  Take(fields, "prompt_text", &out->prompt_text);
  Each(fields, "choices", kMostChoices,
       [&](Fields& inner) { ReadChoice(inner, &out->choices.emplace_back()); });
  if (out->choices.size() != static_cast<size_t>(out->request.n)) {
    fields.Refuse("choices", fmt::format("choices has {} entries; n is {}", out->choices.size(),
                                         out->request.n));
  }
}

void ReadIdentity(Fields& fields, EngineIdentity* out) {
  Take(fields, "resolved", &out->resolved);
  Take(fields, "sha256", &out->sha256);
  Take(fields, "isa", &out->isa);
  Take(fields, "threads", 0, kMost, &out->threads);
  Each(fields, "components", kMostChoices, [&](Fields& inner) {
    ComponentIdentity& component = out->components.emplace_back();
    Take(inner, "family", &component.family);
    Take(inner, "use", &component.use);
    Take(inner, "plugin", &component.plugin);
    Take(inner, "version", &component.version);
    Take(inner, "file", &component.file);
    Take(inner, "sha256", &component.sha256);
  });
}

void Read(Fields& fields, RecordedEngine* out) {
  Take(fields, "number", 0, kMost, &out->number);
  Take(fields, "model", &out->model);
  Take(fields, "pipeline", &out->pipeline);
  Within(fields, "identity", [&](Fields& inner) { ReadIdentity(inner, &out->identity); });
}

void Read(Fields& fields, FileHead* out) {
  const auto format = fields.Integer("format", 1, kMost);
  if (fields.ok() && format != kFormat) {
    return fields.Refuse("format", fmt::format("its format is {}; this program reads {}",
                                               format.value_or(0), kFormat));
  }
  Take(fields, "file", int64_t{1}, int64_t{kMost}, &out->file);
  Take(fields, "run", &out->run.name);
  Take(fields, "tenon", &out->run.program);
  out->run.text = fields.Flag("text").value_or(false);
}

template <typename Kind>
Result<Line> ReadAs(const char* kind, Fields& outer) {
  Kind line;
  if (outer.Any(kind) == nullptr) return Error{Status::kInvalid, std::string(kind) + " is null"};
  Within(outer, kind, [&](Fields& fields) { Read(fields, &line); });
  if (!outer.ok()) return Error{Status::kInvalid, outer.error().message};
  return Line(std::move(line));
}

}  // namespace

Result<Line> ReadLine(std::string_view text) {
  JsonValue json;
  openai::ApiError error;
  if (!openai::ParseBody(text, kDepth, &json, &error)) {
    return Error{Status::kInvalid,
                 "no line of a recording: " + error.message.substr(error.message.find(": ") + 2)};
  }
  const JsonValue::Object* object = json.AsObject();
  const std::string kind = object != nullptr && object->size() == 1 ? object->front().first : "";
  if (kind.empty()) return Error{Status::kInvalid, "no object with one member"};
  Fields outer(*object);
  if (kind == kKinds[0]) return ReadAs<FileHead>(kKinds[0], outer);
  if (kind == kKinds[1]) return ReadAs<RecordedEngine>(kKinds[1], outer);
  if (kind == kKinds[2]) return ReadAs<RecordedRequest>(kKinds[2], outer);
  if (kind == kKinds[3]) {
    LeftOut left_out;
    Take(outer, kKinds[3], int64_t{0}, kMostUs, &left_out.requests);
    if (outer.ok()) return Line(left_out);
    return Error{Status::kInvalid, outer.error().message};
  }
  return Error{Status::kInvalid, fmt::format("its member is none of {}, {}, {}, {}", kKinds[0],
                                             kKinds[1], kKinds[2], kKinds[3])};
}

}  // namespace tenon::apps::record
