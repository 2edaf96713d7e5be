// SPDX-License-Identifier: Apache-2.0
#include "apps/check/result.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

namespace tenon::apps {
namespace {

constexpr std::array<const char*, 5> kNames = {"passed", "failed", "skipped", "crashed", "hung"};

bool IsFine(const TestResult& test) {
  return test.status == CheckStatus::kPassed || test.status == CheckStatus::kSkipped;
}

// "decode: 12.3 GB/s, 41 % of memory"
std::string RateLine(const AchievedRate& rate) {
  std::string text =
      fmt::format("{:43}{}: {:.3g} G{}", "", rate.what, rate.per_second * 1e-9, rate.unit);
  for (const auto& [limit, share] : rate.shares) {
    text += fmt::format(", {:.3g} % of {}", 100 * share, limit);
  }
  return text + "\n";
}

std::string Lines(const std::vector<TestResult>& tests) {
  std::string text;
  for (const TestResult& test : tests) {
    const char* status = test.warning ? "warning" : Name(test.status);
    text += fmt::format("  {:<8} {:<32} {}", status, test.name, test.message);
    text.erase(text.find_last_not_of(' ') + 1);
    text += "\n";
    for (const AchievedRate& rate : test.rates) text += RateLine(rate);
  }
  return text;
}

nlohmann::json ToJson(const std::vector<TestResult>& tests) {
  nlohmann::json list = nlohmann::json::array();
  for (const TestResult& test : tests) {
    nlohmann::json rates = nlohmann::json::array();
    for (const AchievedRate& rate : test.rates) {
      rates.push_back({{"what", rate.what},
                       {"unit", rate.unit},
                       {"per_second", rate.per_second},
                       {"shares", rate.shares}});
    }
    list.push_back({{"name", test.name},
                    {"status", Name(test.status)},
                    {"warning", test.warning},
                    {"message", test.message},
                    {"seconds", test.seconds},
                    {"rates", rates}});
  }
  return list;
}

}  // namespace

bool PluginResult::passed() const {
  const auto fine = [](const std::vector<TestResult>& list) {
    return std::all_of(list.begin(), list.end(), IsFine);
  };
  return fine(tests) && std::all_of(components.begin(), components.end(),
                                    [&](const ComponentResult& c) { return fine(c.tests); });
}

const char* Name(CheckStatus status) { return kNames[static_cast<size_t>(status)]; }

std::string CheckText(const PluginResult& result) {
  std::string text = result.plugin + "\n" + Lines(result.tests);
  std::array<int, kNames.size()> counts = {};
  int warnings = 0;
  const auto count = [&](const std::vector<TestResult>& tests) {
    for (const TestResult& test : tests) {
      ++counts[static_cast<size_t>(test.status)];
      warnings += test.warning ? 1 : 0;
    }
  };
  count(result.tests);
  for (const ComponentResult& component : result.components) {
    text += fmt::format("{} {}\n", component.family, component.name) + Lines(component.tests);
    count(component.tests);
  }
  text += result.passed() ? "passed:" : "failed:";
  for (size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] > 0) text += fmt::format(" {} {}", counts[i], kNames[i]);
  }
  return text + (warnings > 0 ? fmt::format(", {} of them with a warning\n", warnings) : "\n");
}

std::string CheckJson(const PluginResult& result) {
  nlohmann::json components = nlohmann::json::array();
  for (const ComponentResult& component : result.components) {
    components.push_back({{"name", component.name},
                          {"family", component.family},
                          {"tests", ToJson(component.tests)}});
  }
  const nlohmann::json all = {{"plugin", result.plugin},
                              {"tests", ToJson(result.tests)},
                              {"components", components},
                              {"passed", result.passed()}};
  return all.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace tenon::apps
