// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "plugins/device/cpu/team.h"
#include "tenon/device.h"

namespace tenon::cpu {

// Walks a list of steps with all lanes of a team: each lane does its share of every op and meets
// the others only where the list says so. Nothing is allocated by Run but the first time that it
// sees a longer list.
class Executor {
 public:
  // `team` outlives the executor.
  explicit Executor(Team* team) : team_(team) {}

  // As Device::Run. kOutOfMemory: no memory for the claim counters; kInvalid: called while another
  // Run or ParallelFor goes on.
  Status Run(Span<const Step> steps, const Batch& batch, uint64_t* nanoseconds) noexcept;

  // As Device::ParallelFor. Where the team is busy (a call from another thread, or from `fn`), the
  // caller does all of it alone.
  void ParallelFor(int64_t count, void (*fn)(void* context, int64_t i) noexcept,
                   void* context) noexcept;

 private:
  struct alignas(64) Counter {
    int64_t value;
  };
  struct Walk;
  struct Loop;

  bool Reserve(uint64_t steps) noexcept;
  void WalkSteps(Walk* walk, int32_t index) noexcept;
  void Clear(uint64_t first, uint64_t end) noexcept;

  Team* team_;
  std::unique_ptr<Counter[]> counters_;  // [capacity_]; all 0 between runs
  uint64_t capacity_ = 0;
  std::atomic<bool> busy_{false};
};

}  // namespace tenon::cpu
