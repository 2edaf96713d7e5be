// SPDX-License-Identifier: Apache-2.0
#include "apps/cli/machine_limits.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <thread>
#include <vector>

#include "kernels/cpu/peak.h"

namespace tenon::apps {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kRepeats = 5;
constexpr double kSeconds = 0.04;  // of one repeat
constexpr int64_t kReadBytes = int64_t{256} << 20;

// Work a second of `work`, run over and over on all threads until time is up; it returns what it
// did.
double Rate(int32_t threads, const std::function<double(int32_t thread)>& work) {
  std::atomic<int32_t> ready{0};
  std::vector<double> rates(static_cast<size_t>(threads));
  const auto body = [&](int32_t thread) {
    ready.fetch_add(1);
    while (ready.load() < threads) std::this_thread::yield();
    const Clock::time_point start = Clock::now();
    double done = 0, seconds = 0;
    do {
      done += work(thread);
      seconds = std::chrono::duration<double>(Clock::now() - start).count();
    } while (seconds < kSeconds);
    rates[static_cast<size_t>(thread)] = done / seconds;
  };
  std::vector<std::thread> team;
  for (int32_t i = 1; i < threads; ++i) team.emplace_back(body, i);
  body(0);
  for (std::thread& thread : team) thread.join();
  double all = 0;
  for (const double rate : rates) all += rate;
  return all;
}

double BestRate(int32_t threads, const std::function<double(int32_t)>& work) {
  double best = 0;
  for (int i = 0; i < kRepeats; ++i) best = std::max(best, Rate(threads, work));
  return best;
}

}  // namespace

MachineLimits MeasureMachine(cpu::Isa isa, int32_t threads) {
  MachineLimits out;
  out.isa = cpu::LevelOf(isa).name;
  out.threads = threads;
  std::atomic<uint64_t> kept{0};  // so that no work can be left out
  const cpu::PeakLoops loops = cpu::PeakLoopsOf(isa);
  for (int32_t i = 0; i < loops.count; ++i) {
    const cpu::PeakLoop& loop = loops.loops[i];
    out.ops_per_s[loop.name] = BestRate(threads, [&](int32_t) {
      constexpr int64_t kRounds = 100000;
      kept += static_cast<uint64_t>(loop.run(kRounds));
      return static_cast<double>(kRounds * loop.round_ops);
    });
  }
  std::vector<std::vector<char>> memory(static_cast<size_t>(threads));
  for (auto& part : memory) part.assign(static_cast<size_t>(kReadBytes), 1);
  out.read_bytes_per_s = BestRate(threads, [&](int32_t thread) {
    kept += cpu::ReadAll(isa, memory[static_cast<size_t>(thread)].data(), kReadBytes);
    return static_cast<double>(kReadBytes);
  });
  return out;
}

}  // namespace tenon::apps
