// SPDX-License-Identifier: Apache-2.0
#include "apps/loadgen/server_facts.h"

#include <algorithm>

#include "apps/loadgen/chunk.h"
#include "fmt/format.h"
#include "nlohmann/json.hpp"

namespace tenon::apps {
namespace {

using nlohmann::json;

constexpr double kPatience = 30;  // seconds

Result<json> Ask(const LoadTarget& target, const std::string& path, const std::string& body) {
  auto answer = Fetch(target, path, body, kPatience);
  TENON_RETURN_IF_ERROR(answer);
  if (answer->status != 200) {
    return Error{Status::kUnsupported, fmt::format("{} answers HTTP {}: {}", path, answer->status,
                                                   ErrorText(answer->body))};
  }
  json document = json::parse(answer->body, nullptr, false);
  if (document.is_object()) return document;
  return Error{Status::kUnsupported, path + " answers something other than a JSON object"};
}

Error Odd(const char* path, const char* missing) {
  return {Status::kUnsupported, fmt::format("{} answers without {}", path, missing)};
}

// Every consonant, vowel, consonant: words that tokenizers cut in many ways.
std::string Syllables() {
  constexpr std::string_view kConsonants = "bcdfghklmnprstvw", kVowels = "aeiou";
  std::string text;
  for (const char first : kConsonants) {
    for (const char vowel : kVowels) {
      for (const char last : kConsonants) text += {first, vowel, last, ' '};
    }
  }
  text.pop_back();
  return text;
}

}  // namespace

Result<std::string> FirstModel(const LoadTarget& target) {
  auto document = Ask(target, "/v1/models", "");
  TENON_RETURN_IF_ERROR(document);
  const json data = document->value("data", json());
  if (data.is_array() && !data.empty() && data[0].is_object() && data[0].contains("id") &&
      data[0]["id"].is_string()) {
    return data[0]["id"].get<std::string>();
  }
  return Odd("/v1/models", "a model");
}

Result<std::vector<int32_t>> OrdinaryTokens(const LoadTarget& target, const std::string& model) {
  const json body = {{"model", model}, {"prompt", Syllables()}, {"add_special_tokens", false}};
  auto document = Ask(target, "/tokenize", body.dump());
  TENON_RETURN_IF_ERROR(document);
  std::vector<int32_t> ids;
  const json tokens = document->value("tokens", json());
  for (const json& id : tokens) {
    if (id.is_number_integer()) ids.push_back(id.get<int32_t>());
  }
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  if (ids.empty()) return Odd("/tokenize", "tokens");
  return ids;
}

Result<std::string> TextOfTokens(const LoadTarget& target, const std::string& model,
                                 const std::vector<int32_t>& ids) {
  const json body = {{"model", model}, {"tokens", ids}};
  auto document = Ask(target, "/detokenize", body.dump());
  TENON_RETURN_IF_ERROR(document);
  const json text = document->value("prompt", json());
  if (!text.is_string()) return Odd("/detokenize", "a prompt");
  return text.get<std::string>();
}

}  // namespace tenon::apps
