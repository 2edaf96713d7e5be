// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <chrono>

namespace tenon::testing {

// The shortest of several runs of `run`, in seconds: at least `least` of them, about 0.2 s in all.
template <typename Run>
double FastestSeconds(Run run, int least = 3) {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point begin = Clock::now();
  double fastest = 1e9;
  for (int i = 0; i < least || Clock::now() - begin < std::chrono::milliseconds(200); ++i) {
    const Clock::time_point start = Clock::now();
    run();
    fastest = std::min(fastest, std::chrono::duration<double>(Clock::now() - start).count());
  }
  return fastest;
}

}  // namespace tenon::testing
