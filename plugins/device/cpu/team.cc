// SPDX-License-Identifier: Apache-2.0
#include "plugins/device/cpu/team.h"

#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <system_error>

namespace tenon::cpu {
namespace {

constexpr int64_t kMeetSpinNs = 20'000;
constexpr int64_t kLeastSpinNs = 1'000;
// Between two runs lies the sampling of a token; a longer spin would only heat the room.
constexpr int64_t kIdleSpinNs = 50'000;
// Up to here every lane looks at every other (one hop); beyond, lane 0 gathers and releases, so
// that the traffic grows with the lanes and not with their square.
constexpr int32_t kMostPeers = 8;

int64_t NowNs() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

void Pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#else
  asm volatile("yield");
#endif
}

static_assert(sizeof(std::atomic<uint32_t>) == sizeof(uint32_t));

void SleepWhile(std::atomic<uint32_t>& word, uint32_t value) {
  syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, value, nullptr, nullptr, 0);
}

void WakeAll(std::atomic<uint32_t>& word) {
  syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, INT32_MAX, nullptr, nullptr, 0);
}

bool Reached(uint32_t seen, uint32_t epoch) { return static_cast<int32_t>(seen - epoch) >= 0; }

void Settle(int32_t lane, std::span<const int32_t> cpus) {
  char name[16];
  std::snprintf(name, sizeof(name), "tenon-cpu-%d", lane);
  pthread_setname_np(pthread_self(), name);
  if (cpus.empty()) return;
  const auto cpu = static_cast<size_t>(cpus[static_cast<size_t>(lane) % cpus.size()]);
  cpu_set_t* set = CPU_ALLOC(cpu + 1);
  if (set == nullptr) return;
  const size_t bytes = CPU_ALLOC_SIZE(cpu + 1);
  CPU_ZERO_S(bytes, set);
  CPU_SET_S(cpu, bytes, set);
  // Refused where the set of allowed processors has just changed: the thread then stays unbound.
  (void)sched_setaffinity(0, bytes, set);
  CPU_FREE(set);
}

}  // namespace

Team::Team(int32_t lanes, int32_t processors, std::span<const int32_t> cpus)
    : lanes_(lanes),
      meet_spin_ns_(lanes > processors ? 0 : kMeetSpinNs),
      idle_spin_ns_(lanes > processors ? 0 : kIdleSpinNs),
      places_(std::make_unique<Place[]>(static_cast<size_t>(lanes))) {
  for (int32_t lane = 0; lane < lanes; ++lane) places_[lane].spin_ns = meet_spin_ns_;
  // Signals are for the host's threads.
  sigset_t all, before;
  sigfillset(&all);
  // A fault that is blocked ends the process unheard, without the host's crash report.
  for (const int fault : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT}) sigdelset(&all, fault);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  std::string refused;
  try {
    const std::vector<int32_t> bound(cpus.begin(), cpus.end());
    threads_.reserve(static_cast<size_t>(lanes - 1));
    for (int32_t lane = 1; lane < lanes; ++lane) {
      threads_.emplace_back([this, lane, bound] {
        Settle(lane, bound);
        Live(lane);
      });
    }
  } catch (const std::exception& error) {
    refused = "the system refused thread " + std::to_string(threads_.size() + 1) + " of " +
              std::to_string(lanes - 1) + " (" + error.what() + "); ask for fewer threads";
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (!refused.empty()) {
    Stop();
    throw std::runtime_error(refused);
  }
}

Team::~Team() { Stop(); }

void Team::Stop() noexcept {
  work_ = nullptr;
  Arrive(0);
  for (std::thread& thread : threads_) thread.join();
}

void Team::Run(Work work, void* context) noexcept {
  if (lanes_ == 1) return work(context, 0);
  work_ = work;
  context_ = context;
  Arrive(0);
  work(context, 0);
  // The others arrive once for having ended; lane 0 does so with the next Run.
  const uint32_t epoch = NextEpoch(0);
  for (int32_t other = 1; other < lanes_; ++other) AwaitAtMeeting(0, other, epoch);
}

void Team::Live(int32_t lane) noexcept {
  for (;;) {
    const uint32_t epoch = NextEpoch(lane);
    Arrive(lane);
    Await(0, epoch, idle_spin_ns_);
    if (work_ == nullptr) return;
    work_(context_, lane);
  }
}

void Team::Meet(int32_t lane) noexcept {
  const uint32_t epoch = NextEpoch(lane);
  if (lanes_ <= kMostPeers) {
    Arrive(lane);
    for (int32_t other = 0; other < lanes_; ++other) {
      if (other != lane) AwaitAtMeeting(lane, other, epoch);
    }
  } else if (lane == 0) {
    for (int32_t other = 1; other < lanes_; ++other) AwaitAtMeeting(0, other, epoch);
    Arrive(0);
  } else {
    Arrive(lane);
    AwaitAtMeeting(lane, 0, epoch);
  }
}

uint32_t Team::NextEpoch(int32_t lane) const {
  return places_[static_cast<size_t>(lane)].epoch.load(std::memory_order_relaxed) + 1;
}

void Team::Arrive(int32_t lane) noexcept {
  Place& place = places_[static_cast<size_t>(lane)];
  // Sequentially consistent with the sleeper's count-then-look in Await: one of the two sees the
  // other.
  place.epoch.fetch_add(1, std::memory_order_seq_cst);
  if (place.sleepers.load(std::memory_order_seq_cst) != 0) WakeAll(place.epoch);
}

// Two lanes that share a core while a neighbour has the other: spinning then only keeps the one
// that is waited for from running. So a spin in vain halves the next one, and one that paid doubles
// it.
void Team::AwaitAtMeeting(int32_t lane, int32_t other, uint32_t epoch) noexcept {
  int64_t& spin = places_[static_cast<size_t>(lane)].spin_ns;
  const bool awake = Await(other, epoch, spin);
  spin = awake ? std::min(2 * spin, meet_spin_ns_)
               : std::max(spin / 2, std::min(kLeastSpinNs, meet_spin_ns_));
}

bool Team::Await(int32_t other, uint32_t epoch, int64_t spin_ns) noexcept {
  Place& place = places_[static_cast<size_t>(other)];
  if (Reached(place.epoch.load(std::memory_order_acquire), epoch)) return true;
  if (spin_ns > 0) {
    const int64_t end = NowNs() + spin_ns;
    do {
      for (int i = 0; i < 32; ++i) {
        if (Reached(place.epoch.load(std::memory_order_acquire), epoch)) return true;
        Pause();
      }
    } while (NowNs() < end);
  }
  place.sleepers.fetch_add(1, std::memory_order_seq_cst);
  for (;;) {
    const uint32_t seen = place.epoch.load(std::memory_order_seq_cst);
    if (Reached(seen, epoch)) break;
    SleepWhile(place.epoch, seen);
  }
  place.sleepers.fetch_sub(1, std::memory_order_relaxed);
  return false;
}

}  // namespace tenon::cpu
