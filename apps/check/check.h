// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "apps/check/result.h"
#include "tenon/result.h"

namespace tenon::apps {

// What one thread of this machine can do at most; empty maps and 0 where nobody measured.
struct ThreadLimits {
  std::map<std::string, double> ops_per_s;  // by type: "f32"
  double read_bytes_per_s = 0;              // out of memory
};

struct CheckOptions {
  std::string plugin;     // the file
  std::string family;     // only components of it; empty: all
  std::string component;  // only that one; empty: all
  std::string only;       // only tests whose name begins so; empty: all
  std::vector<std::string> plugin_dirs;
  bool strict = false;                // a warning is a failure
  double timeout_seconds = 60;        // of one test
  std::function<bool()> interrupted;  // asked often; once true, the check ends
  // Asked once, when a test has measured rates; may be empty.
  std::function<ThreadLimits()> limits;
  std::function<void(const TestResult&)> done;  // after each test; may be empty
};

// Runs every test in a process of its own (this binary's `check --child`), one after the other.
// kCancelled where it was interrupted, kNotFound where there is no such file or component. That the
// plugin fails is no error.
Result<PluginResult> CheckPlugin(const CheckOptions& options);

}  // namespace tenon::apps
