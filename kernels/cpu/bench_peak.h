// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <chrono>
#include <map>
#include <mutex>
#include <string>
#include <utility>

#include "kernels/cpu/peak.h"

// For benchmarks: what a share of a core's peak is a share of.
namespace tenon::cpu {

// Operations a second of one core with the level's loop `name` ("int8", "f32", ...) on registers,
// the best of a few tries; 0 where the level has no such loop. Measured once. Any thread.
inline double PeakOpsPerSecond(Isa isa, const std::string& name) {
  static std::mutex mutex;
  static std::map<std::pair<Isa, std::string>, double> known;
  const std::lock_guard lock(mutex);
  const auto [at, added] = known.try_emplace({isa, name}, 0.0);
  if (!added) return at->second;
  const PeakLoops loops = PeakLoopsOf(isa);
  for (int32_t i = 0; i < loops.count; ++i) {
    const PeakLoop& loop = loops.loops[i];
    if (name != loop.name) continue;
    constexpr int64_t kRounds = 200'000;
    for (int repeat = 0; repeat < 20; ++repeat) {
      const auto begin = std::chrono::steady_clock::now();
      // The result is not used: the loop lies in another file, and is run all the same.
      (void)loop.run(kRounds);
      const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
      at->second =
          std::max(at->second, static_cast<double>(kRounds * loop.round_ops) / took.count());
    }
  }
  return at->second;
}

}  // namespace tenon::cpu
