// SPDX-License-Identifier: Apache-2.0
#include "apps/loadgen/dataset.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <random>

#include "fmt/format.h"
#include "nlohmann/json.hpp"

namespace tenon::apps {
namespace {

using nlohmann::json;
using Random = std::mt19937_64;

constexpr int64_t kOutputLength = 128;

std::vector<int32_t> Draw(Random& random, int64_t count, const std::vector<int32_t>& vocabulary) {
  std::uniform_int_distribution<size_t> pick(0, vocabulary.size() - 1);
  std::vector<int32_t> ids(static_cast<size_t>(count));
  for (int32_t& id : ids) id = vocabulary[pick(random)];
  return ids;
}

int64_t DrawLength(Random& random, int64_t middle, double ratio) {
  const auto length = static_cast<double>(middle);
  const auto low = static_cast<int64_t>(std::floor(length * (1 - ratio)));
  const auto high = static_cast<int64_t>(std::ceil(length * (1 + ratio)));
  return std::uniform_int_distribution<int64_t>(low, high)(random);
}

int64_t OutputLength(const DatasetOptions& options) {
  return options.output_len > 0 ? options.output_len : kOutputLength;
}

std::vector<int32_t> Joined(std::vector<int32_t> ids, const std::vector<int32_t>& more) {
  ids.insert(ids.end(), more.begin(), more.end());
  return ids;
}

Result<std::vector<Prompt>> DrawRandom(const DatasetOptions& options,
                                       const std::vector<int32_t>& vocabulary) {
  Random random(options.seed);
  const std::vector<int32_t> prefix = Draw(random, options.prefix_len, vocabulary);
  std::vector<Prompt> prompts(static_cast<size_t>(options.prompts));
  for (Prompt& prompt : prompts) {
    const int64_t length = DrawLength(random, options.input_len, options.range_ratio);
    prompt.ids = Joined(prefix, Draw(random, length, vocabulary));
    prompt.output_tokens =
        std::max<int64_t>(DrawLength(random, OutputLength(options), options.range_ratio), 1);
    if (!prompt.ids.empty()) continue;
    return Error{
        Status::kInvalid,
        fmt::format("--input-len {} with --random-range-ratio {} and --random-prefix-len 0 "
                    "makes prompts of no token; at least 1 needed",
                    options.input_len, options.range_ratio)};
  }
  return prompts;
}

Result<std::vector<Prompt>> DrawRepeated(const DatasetOptions& options,
                                         const std::vector<int32_t>& vocabulary) {
  if (options.repeat_prefixes > options.prompts) {
    return Error{Status::kInvalid, fmt::format("--num-prompts is {}, below the {} of "
                                               "--prefix-repetition-num-prefixes",
                                               options.prompts, options.repeat_prefixes)};
  }
  if (options.repeat_prefix_len + options.repeat_suffix_len < 1) {
    return Error{Status::kInvalid, "prefix and suffix have no tokens; at least 1 needed"};
  }
  Random random(options.seed);
  std::vector<Prompt> prompts;
  for (int64_t i = 0; i < options.repeat_prefixes; ++i) {
    const std::vector<int32_t> prefix = Draw(random, options.repeat_prefix_len, vocabulary);
    for (int64_t j = 0; j < options.prompts / options.repeat_prefixes; ++j) {
      prompts.push_back({Joined(prefix, Draw(random, options.repeat_suffix_len, vocabulary)), "",
                         "", OutputLength(options)});
    }
  }
  std::shuffle(prompts.begin(), prompts.end(), random);
  return prompts;
}

// The reason that it is none, or nothing.
std::string ReadLine(const std::string& line, Prompt& out) {
  const json row = json::parse(line, nullptr, false);
  if (!row.is_object()) return "is not a JSON object";
  const json prompt = row.value("prompt", json()), messages = row.value("messages", json());
  if (prompt.is_string()) {
    out.text = prompt.get<std::string>();
  } else if (prompt.is_array()) {
    for (const json& id : prompt) {
      if (!id.is_number_integer()) return "has a prompt with something other than token ids in it";
      out.ids.push_back(id.get<int32_t>());
    }
  } else if (messages.is_array()) {
    out.messages = messages.dump();
  }
  if (out.text.empty() && out.ids.empty() && out.messages.empty()) {
    return "has neither a \"prompt\" nor \"messages\"";
  }
  const json tokens = row.value("output_tokens", json(0));
  if (!tokens.is_number_integer() || tokens.get<int64_t>() < 0) {
    return fmt::format("has {} as output_tokens, 1 and above allowed", tokens.dump());
  }
  out.output_tokens = tokens.get<int64_t>();
  return "";
}

}  // namespace

Result<std::vector<Prompt>> DrawPrompts(const DatasetOptions& options,
                                        const std::vector<int32_t>& vocabulary) {
  TENON_CHECK(!vocabulary.empty());
  return options.name == "random" ? DrawRandom(options, vocabulary)
                                  : DrawRepeated(options, vocabulary);
}

Result<std::vector<Prompt>> ReadPrompts(const DatasetOptions& options) {
  std::ifstream file(options.path);
  if (!file) return Error{Status::kNotFound, options.path + ": cannot be read"};
  std::vector<Prompt> rows;
  std::string line;
  for (int64_t number = 1; std::getline(file, line); ++number) {
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    Prompt prompt;
    if (const std::string wrong = ReadLine(line, prompt); !wrong.empty()) {
      return Error{Status::kInvalid, fmt::format("{}:{}: {}", options.path, number, wrong)};
    }
    if (options.output_len > 0 || prompt.output_tokens == 0) {
      prompt.output_tokens = OutputLength(options);
    }
    rows.push_back(std::move(prompt));
    if (static_cast<int64_t>(rows.size()) == options.prompts) break;
  }
  if (rows.empty()) return Error{Status::kInvalid, options.path + ": holds no prompt"};
  const size_t own = rows.size();
  while (static_cast<int64_t>(rows.size()) < options.prompts) {
    rows.push_back(rows[rows.size() % own]);
  }
  return rows;
}

Result<LoadRequest> MakeRequest(const Prompt& prompt, const BodyOptions& options) {
  json body = json::parse(options.extra, nullptr, false);
  if (!body.is_object()) {
    return Error{Status::kInvalid, "--extra-body: " + options.extra + "; a JSON object expected"};
  }
  if (options.chat) {
    if (prompt.messages.empty() && prompt.text.empty()) {
      return Error{Status::kInvalid, "a chat takes texts and messages, not token ids"};
    }
    body["messages"] = prompt.messages.empty()
                           ? json::array({{{"role", "user"}, {"content", prompt.text}}})
                           : json::parse(prompt.messages);
  } else {
    if (!prompt.messages.empty()) {
      return Error{Status::kInvalid, "\"messages\" go to --endpoint /v1/chat/completions"};
    }
    body["prompt"] = prompt.ids.empty() ? json(prompt.text) : json(prompt.ids);
  }
  body["model"] = options.model;
  body[options.chat ? "max_completion_tokens" : "max_tokens"] = prompt.output_tokens;
  body["stream"] = true;
  body["stream_options"] = {{"include_usage", true}};
  if (options.ignore_eos) body["ignore_eos"] = true;
  if (options.temperature >= 0) body["temperature"] = options.temperature;
  return LoadRequest{body.dump(-1, ' ', false, json::error_handler_t::replace),
                     static_cast<int64_t>(prompt.ids.size()), prompt.output_tokens};
}

}  // namespace tenon::apps
