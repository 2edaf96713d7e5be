// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace tenon::apps::batch {

// A bar with rate and time left on stderr, drawn anew a few times a second. One thread.
class Progress {
 public:
  Progress(bool shown, int64_t lines) : shown_(shown), lines_(lines) {}

  void Show(int64_t answered, int64_t skipped, int64_t failed);
  void End();  // takes the bar away

  double Seconds() const;  // since it began

 private:
  using Clock = std::chrono::steady_clock;

  const bool shown_;
  const int64_t lines_;
  const Clock::time_point begin_ = Clock::now();
  Clock::time_point drawn_{};
  size_t width_ = 0;  // of what stands there
};

// "[####      ] 40 of 100, 2 failed, 3.1/s, 19 s left". `answered` in `seconds`, without `skipped`
// ones, which cost nothing.
std::string ProgressText(int64_t lines, int64_t answered, int64_t skipped, int64_t failed,
                         double seconds);

}  // namespace tenon::apps::batch
