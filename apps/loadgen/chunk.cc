// SPDX-License-Identifier: Apache-2.0
#include "apps/loadgen/chunk.h"

#include <algorithm>

#include "nlohmann/json.hpp"

namespace tenon::apps {
namespace {

using nlohmann::json;

constexpr size_t kMostText = 200;  // bytes of a server's message that are kept

// The member of an object, or null.
const json& Member(const json& of, const char* name) {
  static const json null;
  if (!of.is_object()) return null;
  const auto found = of.find(name);
  return found == of.end() ? null : *found;
}

bool HasText(const json& value) {
  return value.is_string() && !value.get_ref<const std::string&>().empty();
}

int64_t Count(const json& value) { return value.is_number_integer() ? value.get<int64_t>() : -1; }

bool CarriesOutput(const json& choice, bool finished) {
  if (choice.contains("text")) return HasText(choice["text"]) || !finished;
  const json& delta = Member(choice, "delta");
  for (const char* name : {"content", "reasoning_content", "reasoning", "refusal"}) {
    if (HasText(Member(delta, name))) return true;
  }
  if (Member(delta, "tool_calls").is_array()) return !delta["tool_calls"].empty();
  return !finished && !delta.contains("role") && Member(delta, "content").is_string();
}

void ReadUsage(const json& usage, StreamChunk& out) {
  out.input_tokens = Count(Member(usage, "prompt_tokens"));
  out.output_tokens = Count(Member(usage, "completion_tokens"));
  out.cached_tokens = Count(Member(Member(usage, "prompt_tokens_details"), "cached_tokens"));
}

std::string OneLine(std::string_view text) {
  std::string out(text.substr(0, kMostText));
  std::replace_if(
      out.begin(), out.end(), [](unsigned char c) { return c < ' '; }, ' ');
  return out;
}

std::string MessageOf(const json& error) {
  const json& message = Member(error, "message");
  return OneLine(message.is_string() ? message.get_ref<const std::string&>() : error.dump());
}

}  // namespace

StreamChunk ReadChunk(std::string_view text) {
  StreamChunk out;
  const json chunk = json::parse(text, nullptr, false);
  if (!chunk.is_object()) return out;
  out.readable = true;
  if (const json& error = Member(chunk, "error"); !error.is_null()) {
    out.error = MessageOf(error);
    return out;
  }
  if (const json& choices = Member(chunk, "choices"); choices.is_array()) {
    for (const json& choice : choices) {
      if (!choice.is_object()) continue;
      const bool finished = Member(choice, "finish_reason").is_string();
      out.finished |= finished;
      out.token |= CarriesOutput(choice, finished);
    }
  }
  if (const json& usage = Member(chunk, "usage"); usage.is_object()) ReadUsage(usage, out);
  return out;
}

std::string ErrorText(std::string_view body) {
  const json answer = json::parse(body, nullptr, false);
  const json& error = Member(answer, "error");
  return error.is_null() ? OneLine(body) : MessageOf(error);
}

}  // namespace tenon::apps
