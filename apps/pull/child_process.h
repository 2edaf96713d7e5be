// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "tenon/result.h"

namespace tenon::apps {

struct ChildEnd {
  int exit_code = 0;  // 128 + signal if one ended it
  bool cancelled = false;
  std::string output;  // the last 16 KiB of what it wrote to stdout and stderr
};

struct ChildProcess {
  std::vector<std::string>
      command;  // the program, looked up in PATH, and its arguments; no shell takes part
  std::vector<std::pair<std::string, std::string>> environment;  // set besides the inherited one
  std::function<void()> tick;                 // called about ten times a second; may be empty
  const std::atomic<bool>* cancel = nullptr;  // once true, the child and its children are ended
};

// Runs a program to its end. It reads nothing (stdin is empty), is the head of its own process
// group, so that Ctrl-C in a terminal reaches it only through `cancel`, and ends when this process
// dies. kNotFound where there is no such program, kIo where it cannot be started.
Result<ChildEnd> RunChild(const ChildProcess& child);

}  // namespace tenon::apps
