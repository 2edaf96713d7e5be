// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <signal.h>

#include <chrono>

namespace tenon::apps {

// While one exists, SIGINT, SIGTERM and SIGHUP are waited for instead of ending the process. One at
// a time; children get the signals' own meanings.
class Signals {
 public:
  Signals();
  ~Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  // The next of them, in the order they came, or 0 after `time`.
  int Wait(std::chrono::milliseconds time);

 private:
  int pipe_[2];
  struct sigaction before_[3];
};

}  // namespace tenon::apps
