// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tenon/plugin.h"

// The conformance kit: what `tenon check` runs on a plugin, and a plugin author may run from tests
// of his own. None of these types crosses the plugin boundary.
namespace tenon::testing {

enum class Outcome : uint8_t {
  kPassed,
  kWarned,   // a property that is asked for, but that some techniques cannot have
  kFailed,   // what a header promises does not hold
  kSkipped,  // does not apply, or cannot be tried here
};

// How fast a component was seen to work, on one lane. What the machine can do at most is for the
// test's caller to know.
struct Rate {
  std::string what;       // "decode"
  double per_second = 0;  // of `bytes`, or of operations; a multiply-add is two
  bool bytes = false;     // that it must read
};

// What a test found. The message says why, with the value seen and the values allowed; of a passed
// test what it measured, or nothing.
struct Verdict {
  Outcome outcome = Outcome::kPassed;
  std::string message{};
  std::vector<Rate> rates{};  // where it measured some
};

inline Verdict Passed(std::string note = "") { return {Outcome::kPassed, std::move(note)}; }
inline Verdict Warned(std::string what) { return {Outcome::kWarned, std::move(what)}; }
inline Verdict Failed(std::string what) { return {Outcome::kFailed, std::move(what)}; }
inline Verdict Skipped(std::string why) { return {Outcome::kSkipped, std::move(why)}; }

// What the tests are run on. The infos outlive the tests.
struct Subject {
  const ComponentInfo* component = nullptr;
  // The device that ops run on, where it claims kDeviceCpu; null: the kit's own.
  const ComponentInfo* device = nullptr;
  // A component of the same family to compare times with; may be null.
  const ComponentInfo* yardstick = nullptr;
};

// One test. It may crash or hang where the component does: run it in a process of its own.
struct Test {
  std::string name;  // family.area.what; "any" as the family of what is asked of all
  std::function<Verdict(const Subject&)> run;
};

// The tests that apply to a component, by its family and by what it claims. Makes nothing.
std::vector<Test> TestsOf(const ComponentInfo& component);

// Tests of the whole plugin: what its description says.
Verdict CheckDescription(const PluginInfo& plugin);

// printf into a string.
[[gnu::format(printf, 1, 2)]] std::string Text(const char* format, ...);

}  // namespace tenon::testing
