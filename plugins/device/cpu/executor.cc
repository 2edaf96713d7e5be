// SPDX-License-Identifier: Apache-2.0
#include "plugins/device/cpu/executor.h"

#include <algorithm>
#include <chrono>
#include <new>

namespace tenon::cpu {
namespace {

uint64_t NowNs() {
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                   std::chrono::steady_clock::now().time_since_epoch())
                                   .count());
}

void MeetTeam(void* team, int32_t lane) noexcept { static_cast<Team*>(team)->Meet(lane); }

}  // namespace

struct Executor::Walk {
  Executor* executor;
  Span<const Step> steps;
  const Batch* batch;
  uint64_t* nanoseconds;
  int32_t failure = 0;        // a Status: the last one that an op set
  uint64_t last_start = 0;    // out, if timed: when lane 0 started the last step
  uint64_t last_meeting = 0;  // out: the first step behind the last meeting
};

struct Executor::Loop {
  int64_t grain;
  int64_t count;
  void (*fn)(void* context, int64_t i) noexcept;
  void* context;
  alignas(64) std::atomic<int64_t> next{0};

  void Work() noexcept {
    for (;;) {
      const int64_t first = next.fetch_add(grain, std::memory_order_relaxed);
      if (first >= count) return;
      const int64_t end = std::min(count, first + grain);
      for (int64_t i = first; i < end; ++i) fn(context, i);
    }
  }
};

Status Executor::Run(Span<const Step> steps, const Batch& batch, uint64_t* nanoseconds) noexcept {
  if (steps.empty()) return Status::kOk;
  if (busy_.exchange(true, std::memory_order_acquire)) return Status::kInvalid;
  Status status = Status::kOutOfMemory;
  if (Reserve(steps.size)) {
    Walk walk{this, steps, &batch, nanoseconds};
    team_->Run(
        [](void* context, int32_t lane) noexcept {
          Walk* mine = static_cast<Walk*>(context);
          mine->executor->WalkSteps(mine, lane);
        },
        &walk);
    Clear(walk.last_meeting, steps.size);
    if (nanoseconds != nullptr) nanoseconds[steps.size - 1] += NowNs() - walk.last_start;
    status = static_cast<Status>(walk.failure);
  }
  busy_.store(false, std::memory_order_release);
  return status;
}

// A step's time runs from its own meeting to the next step's: waiting is counted where the work is
// that is waited for.
void Executor::WalkSteps(Walk* walk, int32_t index) noexcept {
  const bool timed = index == 0 && walk->nanoseconds != nullptr;
  Lane lane{index, team_->lanes(), nullptr, nullptr, team_, &MeetTeam, &walk->failure};
  uint64_t start = timed ? NowNs() : 0;
  uint64_t last_meeting = 0;
  int32_t cleaner = 0;
  for (uint64_t i = 0; i < walk->steps.size; ++i) {
    const Step& step = walk->steps[i];
    if (step.meet_before != 0 && i > 0) {
      lane.Meet();
      // All lanes are past the steps before this one, and the next run comes after the next
      // meeting: their counters are set back by the lanes in turn, with no meeting for it.
      if (cleaner == index) Clear(last_meeting, i);
      if (++cleaner == lane.count) cleaner = 0;
      last_meeting = i;
    }
    if (timed && i > 0) {
      const uint64_t now = NowNs();
      walk->nanoseconds[i - 1] += now - start;
      start = now;
    }
    lane.next_piece = &counters_[i].value;
    step.op->Run(*walk->batch, lane);
  }
  if (index == 0) {
    walk->last_start = start;
    walk->last_meeting = last_meeting;
  }
}

void Executor::Clear(uint64_t first, uint64_t end) noexcept {
  for (uint64_t i = first; i < end; ++i) {
    __atomic_store_n(&counters_[i].value, 0, __ATOMIC_RELAXED);
  }
}

bool Executor::Reserve(uint64_t steps) noexcept {
  if (steps <= capacity_) return true;
  const uint64_t capacity = std::max<uint64_t>(512, steps + steps / 2);
  Counter* counters = new (std::nothrow) Counter[capacity]();
  if (counters == nullptr) return false;
  counters_.reset(counters);
  capacity_ = capacity;
  return true;
}

void Executor::ParallelFor(int64_t count, void (*fn)(void* context, int64_t i) noexcept,
                           void* context) noexcept {
  if (count <= 0) return;
  const int32_t lanes = team_->lanes();
  const bool alone = count == 1 || lanes == 1 || busy_.exchange(true, std::memory_order_acquire);
  // Eight pieces a lane even out what single calls cost; many tiny calls share one claim.
  Loop loop{alone ? count : std::clamp<int64_t>(count / (8 * lanes), 1, 256), count, fn, context};
  if (alone) return loop.Work();
  team_->Run([](void* shared, int32_t) noexcept { static_cast<Loop*>(shared)->Work(); }, &loop);
  busy_.store(false, std::memory_order_release);
}

}  // namespace tenon::cpu
