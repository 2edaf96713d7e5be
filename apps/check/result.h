// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

// What `tenon check` found.
namespace tenon::apps {

enum class CheckStatus : uint8_t { kPassed, kFailed, kSkipped, kCrashed, kHung };

struct TestResult {
  std::string name;
  CheckStatus status = CheckStatus::kPassed;
  bool warning = false;  // passed, with a message that the author should read
  std::string message;
  double seconds = 0;
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

// {"plugin", "tests": [{"name", "status", "message", "seconds", "warning"}], "components":
// [{"name", "family", "tests"}], "passed"}
std::string CheckJson(const PluginResult& result);

}  // namespace tenon::apps
