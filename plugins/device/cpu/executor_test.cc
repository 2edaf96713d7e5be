// SPDX-License-Identifier: Apache-2.0
#include "plugins/device/cpu/executor.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "sdk/testing/allocation_count.h"

namespace tenon::cpu {
namespace {

using Clock = std::chrono::steady_clock;

int32_t Processors() { return static_cast<int32_t>(std::thread::hardware_concurrency()); }

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Calls a function on every lane.
template <typename Function>
class FunctionOp final : public Op {
 public:
  explicit FunctionOp(Function function) : function_(function) {}
  void Run(const Batch& batch, const Lane& lane) noexcept override { function_(batch, lane); }

 private:
  Function function_;
};

Status RunSteps(Executor& executor, const std::vector<Step>& steps, uint64_t* times = nullptr) {
  return executor.Run({steps.data(), steps.size()}, Batch{}, times);
}

TEST(Executor, RunsEveryStepOnEveryLaneInOrder) {
  for (int32_t lanes = 1; lanes <= 4; ++lanes) {
    Team team(lanes, Processors(), {});
    Executor executor(&team);
    std::vector<std::vector<int>> seen(static_cast<size_t>(lanes));
    const auto note = [&seen](int step) {
      return [&seen, step](const Batch&, const Lane& lane) {
        seen[static_cast<size_t>(lane.index)].push_back(step);
      };
    };
    FunctionOp zero(note(0)), one(note(1)), two(note(2));
    const std::vector<Step> steps = {{&zero, 0}, {&one, 0}, {&two, 1}};
    for (int run = 0; run < 3; ++run) {
      for (auto& list : seen) list.clear();
      ASSERT_EQ(RunSteps(executor, steps), Status::kOk);
      for (const auto& list : seen) EXPECT_EQ(list, (std::vector<int>{0, 1, 2}));
    }
  }
}

TEST(Executor, NoLanePassesAMeetingBeforeAllHaveCome) {
  for (const int32_t lanes : {2, 3, 4, 10}) {  // 10: lanes meet through lane 0
    Team team(lanes, Processors(), {});
    Executor executor(&team);
    std::vector<int> written(static_cast<size_t>(lanes), -1);
    std::atomic<int> wrong{0};
    int value = 0;
    FunctionOp write([&](const Batch&, const Lane& lane) {
      if (lane.index == (value % lane.count)) {  // a different one is late each time
        const auto end = Clock::now() + std::chrono::microseconds(30);
        while (Clock::now() < end) {
        }
      }
      written[static_cast<size_t>(lane.index)] = value;
    });
    FunctionOp read([&](const Batch&, const Lane&) {
      for (const int seen : written) wrong += seen != value;
    });
    for (value = 0; value < 50; ++value) {
      ASSERT_EQ(RunSteps(executor, {{&write, 0}, {&read, 1}}), Status::kOk);
    }
    EXPECT_EQ(wrong, 0) << lanes << " lanes";
  }
}

TEST(Executor, ReturnsWhatAnOpReportedOnceAllStepsAreOver) {
  Team team(2, Processors(), {});
  Executor executor(&team);
  std::atomic<int> after{0};
  FunctionOp broken([](const Batch&, const Lane& lane) {
    if (lane.index == 1) lane.Fail(Status::kIo);
  });
  FunctionOp fine([&](const Batch&, const Lane&) { ++after; });
  EXPECT_EQ(RunSteps(executor, {{&broken, 0}, {&fine, 1}}), Status::kIo);
  EXPECT_EQ(after, 2);
  EXPECT_EQ(RunSteps(executor, {{&fine, 0}}), Status::kOk);
}

TEST(Executor, OpsMayMeetInside) {
  for (int32_t lanes = 1; lanes <= 4; ++lanes) {
    Team team(lanes, Processors(), {});
    Executor executor(&team);
    std::vector<int> part(static_cast<size_t>(lanes), 0);
    std::atomic<int> wrong{0};
    FunctionOp op([&](const Batch&, const Lane& lane) {
      for (int round = 1; round <= 20; ++round) {
        part[static_cast<size_t>(lane.index)] = round;
        lane.Meet();
        for (const int value : part) wrong += value != round;
        lane.Meet();
      }
    });
    for (int run = 0; run < 10; ++run) {
      ASSERT_EQ(RunSteps(executor, {{&op, 0}, {&op, 1}}), Status::kOk);
    }
    EXPECT_EQ(wrong, 0);
  }
}

TEST(Executor, ClaimsHandOutEveryPieceOnceInEveryStepOfEveryRun) {
  constexpr int64_t kPieces = 37;
  for (int32_t lanes = 1; lanes <= 4; ++lanes) {
    Team team(lanes, Processors(), {});
    Executor executor(&team);
    std::vector<std::atomic<int>> taken(kPieces);
    std::atomic<int> wrong{0};
    FunctionOp take([&](const Batch&, const Lane& lane) {
      for (int64_t i = lane.Claim(); i < kPieces; i = lane.Claim()) taken[i]++;
    });
    FunctionOp take_pairs([&](const Batch&, const Lane& lane) {
      for (int64_t i = lane.Claim(2); i < kPieces; i = lane.Claim(2)) {
        taken[i]++;
        if (i + 1 < kPieces) taken[i + 1]++;
      }
    });
    FunctionOp check([&](const Batch&, const Lane& lane) {
      if (lane.index != lane.count - 1) return;
      for (auto& count : taken) wrong += count.exchange(0) != 2;
    });
    std::vector<Step> steps;  // grows, so that the counters do too
    for (int run = 0; run < 60; ++run) {
      steps.insert(steps.end(), {{&take, 1}, {&take_pairs, 0}, {&check, 1}});
      for (int i = 0; i < 8; ++i) {
        steps.insert(steps.end(), {{&take, 1}, {&take_pairs, 0}, {&check, 1}});
      }
      ASSERT_EQ(RunSteps(executor, steps), Status::kOk);
    }
    EXPECT_EQ(wrong, 0) << lanes << " lanes";
  }
}

TEST(Executor, TimesEachStepWithTheWaitingForIt) {
  Team team(2, Processors(), {});
  Executor executor(&team);
  FunctionOp nothing([](const Batch&, const Lane&) {});
  FunctionOp slow_elsewhere([](const Batch&, const Lane& lane) {
    if (lane.index == 1) std::this_thread::sleep_for(std::chrono::milliseconds(20));
  });
  const std::vector<Step> steps = {{&nothing, 0}, {&slow_elsewhere, 1}, {&nothing, 1}};
  uint64_t longest = 0;
  for (int run = 0; run < 3; ++run) {
    std::vector<uint64_t> times(3, 100);
    const auto start = Clock::now();
    ASSERT_EQ(RunSteps(executor, steps, times.data()), Status::kOk);
    const double all = SecondsSince(start) * 1e9;
    EXPECT_GE(times[0], 100u) << "added to what was there";
    EXPECT_LE(static_cast<double>(times[0] + times[1] + times[2]), all + 300);
    longest = std::max(longest, times[1]);
  }
  // Lane 0 may itself come late to the meeting, on a busy machine.
  EXPECT_GT(longest, 15'000'000u);
}

TEST(Executor, AllocatesNothingOnceItHasSeenAList) {
  for (const int32_t lanes : {1, 2, 4}) {
    Team team(lanes, Processors(), {});
    Executor executor(&team);
    FunctionOp op([](const Batch&, const Lane& lane) {
      while (lane.Claim() < 5) {
      }
    });
    const std::vector<Step> steps(600, Step{&op, 1});
    std::vector<uint64_t> times(steps.size());
    ASSERT_EQ(RunSteps(executor, steps, times.data()), Status::kOk);
    const int64_t before = testing::AllocationCount();
    for (int run = 0; run < 20; ++run) {
      ASSERT_EQ(RunSteps(executor, steps, times.data()), Status::kOk);
      int calls[3] = {};
      executor.ParallelFor(
          3, [](void* context, int64_t i) noexcept { static_cast<int*>(context)[i]++; }, calls);
    }
    EXPECT_EQ(testing::AllocationCount(), before);
  }
}

TEST(Executor, RefusesASecondRunAndDoesALoopAloneMeanwhile) {
  Team team(2, Processors(), {});
  Executor executor(&team);
  std::atomic<bool> inside{false}, leave{false};
  FunctionOp block([&](const Batch&, const Lane&) {
    inside = true;
    while (!leave) std::this_thread::yield();
  });
  std::thread runner([&] { EXPECT_EQ(RunSteps(executor, {{&block, 0}}), Status::kOk); });
  while (!inside) std::this_thread::yield();
  EXPECT_EQ(RunSteps(executor, {{&block, 0}}), Status::kInvalid);
  int64_t sum = 0;  // not atomic: all of it runs here
  executor.ParallelFor(
      100, [](void* context, int64_t i) noexcept { *static_cast<int64_t*>(context) += i; }, &sum);
  EXPECT_EQ(sum, 4950);
  leave = true;
  runner.join();
  EXPECT_EQ(RunSteps(executor, {}), Status::kOk);
}

TEST(Executor, ParallelForCallsEachIndexOnce) {
  for (int32_t lanes = 1; lanes <= 4; ++lanes) {
    Team team(lanes, Processors(), {});
    Executor executor(&team);
    for (const int64_t count : {0, 1, 2, 3, 31, 1000, 100003}) {
      std::vector<std::atomic<uint8_t>> calls(static_cast<size_t>(count));
      executor.ParallelFor(
          count,
          [](void* context, int64_t i) noexcept {
            (*static_cast<std::vector<std::atomic<uint8_t>>*>(context))[static_cast<size_t>(i)]++;
          },
          &calls);
      int64_t once = 0;
      for (auto& n : calls) once += n == 1;
      EXPECT_EQ(once, count);
    }
  }
}

TEST(Executor, ThousandsOfTinyRunsOnTwoTeamsAtOnce) {
  const auto work = [](int32_t lanes, int64_t* total) {
    Team team(lanes, Processors(), {});
    Executor executor(&team);
    int64_t sum = 0;  // written by one lane at a time, handed on at meetings
    FunctionOp add([&](const Batch&, const Lane& lane) {
      if (lane.Claim() == 0) ++sum;
    });
    const std::vector<Step> steps = {{&add, 0}, {&add, 1}, {&add, 1}};
    for (int run = 0; run < 2000; ++run) ASSERT_EQ(RunSteps(executor, steps), Status::kOk);
    *total = sum;
  };
  int64_t first = 0, second = 0;
  std::thread other([&] { work(3, &second); });
  work(2, &first);
  other.join();
  EXPECT_EQ(first, 6000);
  EXPECT_EQ(second, 6000);
}

TEST(Executor, ABusyNeighbourSlowsItInProportionOnly) {
  Team team(std::max(2, Processors()), Processors(), {});
  Executor executor(&team);
  FunctionOp op([](const Batch&, const Lane&) {});
  const std::vector<Step> steps(100, Step{&op, 1});
  std::atomic<bool> stop{false};
  std::vector<std::thread> neighbours;
  for (int32_t i = 0; i < Processors(); ++i) {
    neighbours.emplace_back([&] {
      while (!stop) {
      }
    });
  }
  const auto start = Clock::now();
  for (int run = 0; run < 20; ++run) EXPECT_EQ(RunSteps(executor, steps), Status::kOk);
  const double seconds = SecondsSince(start);
  stop = true;
  for (std::thread& thread : neighbours) thread.join();
  // A meeting of lanes that only spin costs a time slice of the neighbour's, 4 ms: 8 s in all.
  EXPECT_LT(seconds, 4.0);
  RecordProperty("milliseconds_for_2000_meetings", std::to_string(1e3 * seconds));
}

}  // namespace
}  // namespace tenon::cpu
