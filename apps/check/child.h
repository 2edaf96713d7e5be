// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

// One test of `tenon check`, in the process that it may bring down.
namespace tenon::apps {

// A component of some plugin's file.
struct ComponentPlace {
  std::string file, family, name;

  // As one argument of a command; Parse gives an empty place for anything else.
  std::string Text() const;
  static ComponentPlace Parse(const std::string& text);
};

// The name under which the child lists what there is to run.
inline constexpr const char* kListTests = "list";

// Names of the tests of the file as a whole; the first ones read it without loading it.
std::vector<std::string> FileTests();

struct ChildArguments {
  std::string test;                      // kListTests, or a test's name
  ComponentPlace subject;                // with only a file for tests of the file
  ComponentPlace device;                 // what ops run on; empty: the kit's own
  ComponentPlace yardstick;              // what times are compared with; may be empty
  std::vector<std::string> plugin_dirs;  // for kListTests: where the last two are looked for
};

// Begins the one line of JSON that a child ends with.
inline constexpr const char* kResultMark = "@tenon-check ";

// Runs it and prints the result's line. The exit code says only whether it got that far: 0.
//   list: {"error"} or {"components": [{"name", "family", "why": why it is skipped, or "",
//     "tests": [names]}], "device", "yardsticks": {family: place}}
//   a test: {"outcome": "passed", "warned", "failed" or "skipped", "message",
//     "rates": [{"what", "per_second", "bytes"}]}
int RunCheckChild(const ChildArguments& arguments);

}  // namespace tenon::apps
