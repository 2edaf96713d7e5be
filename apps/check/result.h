// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

// What `tenon check` found.
namespace tenon::apps {

enum class CheckStatus : uint8_t { kPassed, kFailed, kSkipped, kCrashed, kHung };

// How fast a component worked, beside what one thread of this machine can do.
struct AchievedRate {
  std::string what;  // "decode"
  std::string unit;  // "B/s" or "op/s"
  double per_second = 0;
  // By limit, what part of it that is: of "memory", or of the arithmetic of "f32", "int8" …. More
  // than 1 of memory: the bytes came from a cache.
  std::map<std::string, double> shares;
};

struct TestResult {
  std::string name;
  CheckStatus status = CheckStatus::kPassed;
  bool warning = false;  // passed, with a message that the author should read
  std::string message;
  double seconds = 0;
  std::vector<AchievedRate> rates{};  // of tests that measure some
};

struct ComponentResult {
  std::string name, family;
  std::vector<TestResult> tests;
};

struct PluginResult {
  std::string plugin;             // the file
  std::vector<TestResult> tests;  // of the file as a whole
  std::vector<ComponentResult> components;

  bool passed() const;
};

// "passed", "failed", "skipped", "crashed", "hung".
const char* Name(CheckStatus status);

// A line a test; passed ones with what they measured, others with why.
std::string CheckText(const PluginResult& result);

// {"plugin", "tests": [{"name", "status", "message", "seconds", "warning", "rates": [{"what",
// "unit", "per_second", "shares": {limit: share}}]}], "components": [{"name", "family", "tests"}],
// "passed"}
std::string CheckJson(const PluginResult& result);

}  // namespace tenon::apps
