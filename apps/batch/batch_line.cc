// SPDX-License-Identifier: Apache-2.0
#include "apps/batch/batch_line.h"

#include <charconv>

#include "apps/openai/json_text.h"
#include "apps/openai/json_value.h"

namespace tenon::apps::batch {
namespace {

using openai::AppendNumber;
using openai::AppendQuoted;
using openai::JsonValue;

constexpr int32_t kDepth = 64;

struct Url {
  std::string_view path;
  openai::Endpoint endpoint;
};
constexpr Url kUrls[] = {{"/v1/chat/completions", openai::Endpoint::kChat},
                         {"/v1/completions", openai::Endpoint::kCompletions},
                         {"/v1/embeddings", openai::Endpoint::kEmbeddings}};

const std::string* TextOf(const JsonValue& json, std::string_view key) {
  const JsonValue* member = json.Find(key);
  return member == nullptr ? nullptr : member->AsString();
}

std::string Begin(const BatchLine& line) {
  std::string out(kAnswerBegin);
  AppendNumber(line.number, &out);
  out += "\",\"custom_id\":";
  if (line.custom_id.empty()) {
    out += "null";
  } else {
    AppendQuoted(line.custom_id, &out);
  }
  return out;
}

// What is wrong with the rest of a line; empty: nothing.
std::string ReadRequest(const JsonValue& json, BatchLine* line) {
  const std::string* method = TextOf(json, "method");
  if (method == nullptr || *method != "POST") return "method is not POST";
  const std::string* url = TextOf(json, "url");
  const Url* known = nullptr;
  for (const Url& one : kUrls) {
    if (url != nullptr && *url == one.path) known = &one;
  }
  if (known == nullptr) {
    return "url is none of /v1/chat/completions, /v1/completions, /v1/embeddings";
  }
  line->endpoint = known->endpoint;
  const JsonValue* body = json.Find("body");
  if (body == nullptr || body->AsObject() == nullptr) return "body is no object";
  const JsonValue* stream = body->Find("stream");
  if (stream != nullptr && stream->AsBool() != nullptr && *stream->AsBool()) {
    return "body.stream is true; answers of a batch are whole";
  }
  openai::AppendJson(*body, &line->body);
  return {};
}

}  // namespace

BatchLine ReadLine(std::string_view text, int64_t number) {
  BatchLine line;
  line.number = number;
  JsonValue json;
  openai::ApiError error;
  if (!openai::ParseBody(text, kDepth, &json, &error)) {
    line.problem = error.message;
    return line;
  }
  const std::string* id = TextOf(json, "custom_id");
  if (id == nullptr || id->empty()) {
    line.problem = "custom_id is missing, or no string";
    return line;
  }
  line.custom_id = *id;
  line.problem = ReadRequest(json, &line);
  return line;
}

std::string AnswerOf(const BatchLine& line, int status, std::string_view body) {
  std::string out = Begin(line) + ",\"response\":{\"status_code\":";
  AppendNumber(status, &out);
  out += ",\"request_id\":\"batch-";
  AppendNumber(line.number, &out);
  out += "\",\"body\":";
  out += body;
  return out += "},\"error\":null}\n";
}

std::string AnswerOfProblem(const BatchLine& line) {
  std::string out = Begin(line) + ",\"response\":null,\"error\":{\"code\":\"invalid_line\",";
  out += "\"message\":";
  AppendQuoted("line " + std::to_string(line.number) + ": " + line.problem, &out);
  return out += "}}\n";
}

BatchAnswer ReadAnswer(std::string_view text) {
  BatchAnswer answer;
  JsonValue json;
  openai::ApiError ignored;
  if (!text.starts_with(kAnswerBegin) || !openai::ParseBody(text, kDepth, &json, &ignored)) {
    return answer;
  }
  const std::string* id = TextOf(json, "custom_id");
  if (id != nullptr) answer.custom_id = *id;
  const std::string_view digits = text.substr(kAnswerBegin.size());
  const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), answer.number);
  answer.ok = read.ec == std::errc() && json.Find("response") != nullptr;
  const JsonValue* response = json.Find("response");
  const JsonValue* status = response == nullptr ? nullptr : response->Find("status_code");
  answer.succeeded = status != nullptr && status->AsInt() != nullptr && *status->AsInt() == 200;
  return answer;
}

}  // namespace tenon::apps::batch
