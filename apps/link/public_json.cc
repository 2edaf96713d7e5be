// SPDX-License-Identifier: Apache-2.0
#include "apps/link/public_json.h"

#include <nlohmann/json.hpp>

#include "fmt/format.h"

namespace tenon::apps::link {
namespace {

using Json = nlohmann::json;

constexpr int kMaxDepth = 64;

std::string Text(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Json IdsOf(const tenon::v1::Ids& ids) {
  return Json(std::vector<int32_t>(ids.id().begin(), ids.id().end()));
}

// Deeper texts are refused before they are built.
Result<Json> ParseObject(const std::string& text) {
  bool deep = false;
  Json parsed = Json::parse(
      text,
      [&](int depth, Json::parse_event_t, Json&) {
        deep = deep || depth > kMaxDepth;
        return !deep;
      },
      false);
  if (deep) return Error{Status::kInvalid, fmt::format("more_json is deeper than {}", kMaxDepth)};
  if (!parsed.is_object()) return Error{Status::kInvalid, "more_json is no JSON object"};
  return parsed;
}

void ReadUsage(const Json& json, tenon::v1::Usage* out) {
  const Json usage = json.value("usage", Json());
  if (!usage.is_object()) return;
  out->set_prompt_tokens(usage.value("prompt_tokens", int64_t{0}));
  out->set_completion_tokens(usage.value("completion_tokens", int64_t{0}));
  const Json details = usage.value("prompt_tokens_details", Json());
  if (details.is_object()) out->set_cached_tokens(details.value("cached_tokens", int64_t{0}));
}

// A text that may be null or missing.
std::string Member(const Json& json, const char* name) {
  const auto found = json.find(name);
  return found != json.end() && found->is_string() ? found->get<std::string>() : "";
}

}  // namespace

Result<ApiRequest> BodyOf(const tenon::v1::GenerateRequest& request) {
  const int inputs = int{!request.prompt().empty()} + int{request.has_prompt_ids()} +
                     int{request.messages_size() > 0};
  if (inputs != 1) {
    return Error{Status::kInvalid, fmt::format("{} of prompt, prompt_ids and messages are given; "
                                               "one is wanted",
                                               inputs)};
  }
  ApiRequest out;
  Json body = {{"stream", true}, {"stream_options", {{"include_usage", true}}}};
  if (!request.model().empty()) body["model"] = request.model();
  if (!request.prompt().empty()) body["prompt"] = request.prompt();
  if (request.has_prompt_ids()) body["prompt"] = IdsOf(request.prompt_ids());
  if (request.messages_size() > 0) {
    out.endpoint = openai::Endpoint::kChat;
    for (const tenon::v1::Message& message : request.messages()) {
      body["messages"].push_back({{"role", message.role()}, {"content", message.content()}});
    }
  }
  if (request.has_max_tokens()) body["max_tokens"] = request.max_tokens();
  if (request.has_temperature()) body["temperature"] = request.temperature();
  if (request.has_top_p()) body["top_p"] = request.top_p();
  if (request.has_top_k()) body["top_k"] = request.top_k();
  if (request.has_seed()) body["seed"] = request.seed();
  if (request.has_n()) body["n"] = request.n();
  if (request.stop_size() > 0) {
    body["stop"] = std::vector<std::string>(request.stop().begin(), request.stop().end());
  }
  if (request.has_ignore_eos()) body["ignore_eos"] = request.ignore_eos();
  if (!request.more_json().empty()) {
    auto more = ParseObject(request.more_json());
    TENON_RETURN_IF_ERROR(more);
    for (auto& [key, value] : more->items()) {
      if (body.contains(key)) {
        return Error{Status::kInvalid,
                     fmt::format("more_json has \"{}\", which has a field of its own", key)};
      }
      body[key] = std::move(value);
    }
  }
  out.body = Text(body);
  return out;
}

Result<ApiRequest> BodyOf(const tenon::v1::EmbedRequest& request) {
  if ((request.input_size() == 0) == (request.input_ids_size() == 0)) {
    return Error{Status::kInvalid, "one of input and input_ids is wanted"};
  }
  Json body = {{"input", Json::array()}};
  if (!request.model().empty()) body["model"] = request.model();
  for (const std::string& text : request.input()) body["input"].push_back(text);
  for (const tenon::v1::Ids& ids : request.input_ids()) body["input"].push_back(IdsOf(ids));
  return ApiRequest{openai::Endpoint::kEmbeddings, Text(body)};
}

Result<tenon::v1::GenerateChunk> ChunkOf(const std::string& json) {
  const Json parsed = Json::parse(json, nullptr, false);
  if (!parsed.is_object()) return Error{Status::kInternal, "a chunk that is no JSON object"};
  try {
    tenon::v1::GenerateChunk out;
    out.set_json(json);
    const Json choices = parsed.value("choices", Json::array());
    if (!choices.empty()) {
      const Json& choice = choices.at(0);
      out.set_choice(choice.value("index", 0));
      out.set_finish_reason(Member(choice, "finish_reason"));
      const auto delta = choice.find("delta");
      out.set_text(delta != choice.end() ? Member(*delta, "content") : Member(choice, "text"));
    }
    if (parsed.contains("usage") && parsed["usage"].is_object()) {
      ReadUsage(parsed, out.mutable_usage());
    }
    return out;
  } catch (const Json::exception& error) {
    return Error{Status::kInternal, error.what()};
  }
}

Result<tenon::v1::EmbedReply> ReplyOf(const std::string& json) {
  const Json parsed = Json::parse(json, nullptr, false);
  if (!parsed.is_object()) return Error{Status::kInternal, "an answer that is no JSON object"};
  try {
    tenon::v1::EmbedReply out;
    for (const Json& item : parsed.at("data")) {
      tenon::v1::Embedding* embedding = out.add_embedding();
      for (const Json& value : item.at("embedding")) embedding->add_value(value.get<float>());
    }
    ReadUsage(parsed, out.mutable_usage());
    return out;
  } catch (const Json::exception& error) {
    return Error{Status::kInternal, error.what()};
  }
}

}  // namespace tenon::apps::link
