// SPDX-License-Identifier: Apache-2.0
#include "apps/compare/workload.h"

#include <array>
#include <fstream>
#include <random>
#include <string_view>

#include "fmt/format.h"
#include "nlohmann/json.hpp"

namespace tenon::apps {
namespace {

constexpr size_t kMostLines = 100000;
constexpr size_t kMostLineBytes = size_t{4} << 20;

constexpr std::array<std::string_view, 12> kTexts = {
    "Explain in two sentences why the sky is blue.",
    "Write a short story about a lighthouse keeper who finds a message in a bottle on the morning "
    "of the first storm of winter.",
    "def fibonacci(n):\n    \"\"\"Return the n-th Fibonacci number.\"\"\"\n",
    "Translate to French: The train leaves at seven in the evening, and we should be at the "
    "station a quarter of an hour before.",
    "What is the capital of Australia?",
    "A farmer has 17 sheep. All but 9 run away. How many are left? Explain step by step.",
    "The history of the steam engine begins in the first century, when Hero of Alexandria "
    "described a device that turned under the pressure of steam. It took sixteen centuries until "
    "Thomas Savery built a pump that raised water by fire, and a few years more until Thomas "
    "Newcomen's engine worked in the mines of England. James Watt, repairing a model of it, saw "
    "how much heat was lost by cooling the cylinder at each stroke. Continue this text.",
    "List five things to check before a long journey by bicycle.",
    "SELECT name, COUNT(*) FROM orders JOIN customers ON customers.id = orders.customer GROUP BY",
    "Once upon a time,",
    "Summarise: Photosynthesis turns light into chemical energy. In the chloroplasts of plants, "
    "water is split, oxygen set free, and carbon dioxide bound into sugar. All food chains start "
    "with it.",
    "Dear Sir or Madam, I am writing to complain about",
};

Result<WorkItem> ReadLine(const std::string& line, const Session& session, int32_t max_tokens) {
  const auto json = nlohmann::json::parse(line, nullptr, false);
  const Error wrong{Status::kInvalid,
                    "an object with \"prompt\" (a string) or \"token_ids\" (a list of integers) "
                    "expected"};
  if (!json.is_object()) return wrong;
  WorkItem item{{}, max_tokens};
  if (json.contains("max_tokens")) {
    if (!json["max_tokens"].is_number_integer() || json["max_tokens"] < 1 ||
        json["max_tokens"] > 1 << 20) {
      return Error{Status::kInvalid, "max_tokens is not an integer from 1 to 1048576"};
    }
    item.max_tokens = json["max_tokens"];
  }
  if (json.contains("token_ids") && json["token_ids"].is_array()) {
    for (const auto& id : json["token_ids"]) {
      if (!id.is_number_integer() || id < 0 || id > INT32_MAX) return wrong;
      item.prompt.push_back(id);
    }
  } else if (json.contains("prompt") && json["prompt"].is_string()) {
    if (session.tokenizer() == nullptr) {
      return Error{Status::kUnsupported, "the model has no usable tokenizer: give token_ids"};
    }
    auto ids = session.tokenizer()->Encode(json["prompt"].get<std::string>(),
                                           {.parse_special = true, .add_special = true});
    TENON_RETURN_IF_ERROR(ids);
    item.prompt = std::move(*ids);
  } else {
    return wrong;
  }
  if (item.prompt.empty()) return Error{Status::kInvalid, "the prompt has no tokens"};
  return item;
}

}  // namespace

Result<std::vector<WorkItem>> ReadWorkload(const std::string& path, const Session& session,
                                           int32_t max_tokens) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return Error{Status::kNotFound, fmt::format("{}: cannot be read", path)};
  std::vector<WorkItem> items;
  std::string line;
  for (size_t number = 1; std::getline(file, line); ++number) {
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    auto item = line.size() > kMostLineBytes || items.size() == kMostLines
                    ? Result<WorkItem>(Error{Status::kInvalid, "more than an experiment takes"})
                    : ReadLine(line, session, max_tokens);
    if (!item.ok()) {
      return Error{item.error().status,
                   fmt::format("{}:{}: {}", path, number, item.error().message)};
    }
    items.push_back(std::move(*item));
  }
  if (items.empty()) return Error{Status::kInvalid, fmt::format("{}: holds no request", path)};
  return items;
}

std::vector<WorkItem> BuiltInWorkload(const Session& session, int32_t count, int32_t max_tokens) {
  std::vector<WorkItem> items;
  std::mt19937 random(5);
  const int32_t vocabulary = session.model().model->Info().vocabulary;
  for (int32_t i = 0; i < count; ++i) {
    const auto number = static_cast<size_t>(i);
    std::string text(kTexts[number % kTexts.size()]);
    // From the second time round a text differs, so that no cache can answer for it.
    if (number >= kTexts.size()) text = fmt::format("({}) {}", number / kTexts.size(), text);
    WorkItem item{{}, max_tokens};
    if (session.tokenizer() != nullptr) {
      auto ids = session.tokenizer()->Encode(text, {.parse_special = true, .add_special = true});
      if (ids.ok()) item.prompt = std::move(*ids);
    }
    if (item.prompt.empty()) {
      std::uniform_int_distribution<int32_t> pick(0, vocabulary - 1);
      for (size_t j = 0; j < 8 + text.size() / 4; ++j) item.prompt.push_back(pick(random));
    }
    items.push_back(std::move(item));
  }
  return items;
}

}  // namespace tenon::apps
