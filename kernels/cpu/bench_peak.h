// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <chrono>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

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

// Bytes a second that one core reads, again and again, of memory of so many bytes (64 KiB at
// least), the best of a few tries: of a cache where they fit one. Measured once a size. Any thread.
inline double ReadBytesPerSecond(Isa isa, int64_t bytes) {
  static std::mutex mutex;
  static std::map<std::pair<Isa, int64_t>, double> known;
  const int64_t size = std::max<int64_t>(bytes, 65536) / 256 * 256;
  const std::lock_guard lock(mutex);
  const auto [at, added] = known.try_emplace({isa, size}, 0.0);
  if (!added) return at->second;
  const std::vector<uint64_t> memory(static_cast<size_t>(size) / 8, 1);
  const int64_t passes = std::max<int64_t>(1, (int64_t{1} << 26) / size);
  volatile uint64_t kept = 0;
  for (int repeat = 0; repeat < 10; ++repeat) {
    const auto begin = std::chrono::steady_clock::now();
    for (int64_t i = 0; i < passes; ++i) kept = kept + ReadAll(isa, memory.data(), size);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    at->second = std::max(at->second, static_cast<double>(passes * size) / took.count());
  }
  return at->second;
}

}  // namespace tenon::cpu
