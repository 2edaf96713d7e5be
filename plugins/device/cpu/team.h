// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <thread>
#include <vector>

namespace tenon::cpu {

// The threads ("lanes") that do one thing together: lane 0 is whoever calls Run, the others belong
// to the team. They meet at a barrier that spins for about 20 us and then sleeps in the kernel, so
// that a lane which lost its core to another process gets one back instead of being waited for at
// full speed. Nothing is allocated and no lock is taken once the team stands.
class Team {
 public:
  using Work = void (*)(void* context, int32_t lane) noexcept;

  // Starts lanes - 1 threads. Lane i > 0 is bound to cpus[i % size] where `cpus` is not empty. With
  // more lanes than `processors` a waiter sleeps at once. Throws std::runtime_error where the
  // system refuses a thread. REQUIRES: lanes >= 1.
  Team(int32_t lanes, int32_t processors, std::span<const int32_t> cpus);
  ~Team();
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  int32_t lanes() const { return lanes_; }

  // Calls work(context, lane) on every lane and returns when all are done. One caller at a time,
  // not from inside `work`.
  void Run(Work work, void* context) noexcept;

  // From inside `work`, as lane `lane`: waits until every lane has come here; what each wrote
  // before is seen by all after. All lanes call it equally often.
  void Meet(int32_t lane) noexcept;

 private:
  // A lane's count of arrivals, alone on its cache lines (two: neighbours are prefetched in pairs).
  struct alignas(128) Place {
    std::atomic<uint32_t> epoch{0};
    std::atomic<uint32_t> sleepers{0};  // lanes asleep until `epoch` moves
    int64_t spin_ns = 0;  // how long this lane now spins at a meeting before it sleeps
  };

  uint32_t NextEpoch(int32_t lane) const;
  void Arrive(int32_t lane) noexcept;
  // Waits for lane `other`; false where it had to sleep.
  bool Await(int32_t other, uint32_t epoch, int64_t spin_ns) noexcept;
  void AwaitAtMeeting(int32_t lane, int32_t other, uint32_t epoch) noexcept;
  void Live(int32_t lane) noexcept;
  void Stop() noexcept;

  const int32_t lanes_;
  const int64_t meet_spin_ns_;
  const int64_t idle_spin_ns_;
  std::unique_ptr<Place[]> places_;  // [lanes]
  Work work_ = nullptr;              // of this Run; null ends the threads
  void* context_ = nullptr;
  std::vector<std::thread> threads_;
};

}  // namespace tenon::cpu
