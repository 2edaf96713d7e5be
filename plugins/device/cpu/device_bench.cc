// SPDX-License-Identifier: Apache-2.0
#include <benchmark/benchmark.h>

#include <vector>

#include "plugins/device/cpu/executor.h"
#include "plugins/device/cpu/machine.h"

// What walking a Program costs beside its work. device_bench --benchmark_filter=...
namespace tenon::cpu {
namespace {

class EmptyOp final : public Op {
 public:
  void Run(const Batch&, const Lane&) noexcept override {}
};

class MeetingOp final : public Op {
 public:
  void Run(const Batch&, const Lane& lane) noexcept override {
    for (int i = 0; i < 1000; ++i) lane.Meet();
  }
};

class ClaimOp final : public Op {
 public:
  void Run(const Batch&, const Lane& lane) noexcept override {
    while (lane.Claim() < 16) {
    }
  }
};

void RunList(benchmark::State& state, Op* op, size_t count, uint32_t meet, double per_run) {
  const Machine machine;
  Team team(static_cast<int32_t>(state.range(0)), static_cast<int32_t>(machine.processors().size()),
            {});
  Executor executor(&team);
  const std::vector<Step> steps(count, Step{op, meet});
  for (auto _ : state) {
    if (executor.Run({steps.data(), steps.size()}, Batch{}, nullptr) != Status::kOk) {
      state.SkipWithError("Run failed");
    }
  }
  state.counters["each"] = benchmark::Counter(
      per_run, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

void Meeting(benchmark::State& state) {
  MeetingOp op;
  RunList(state, &op, 1, 0, 1000);
}
BENCHMARK(Meeting)->DenseRange(1, 4)->UseRealTime();

void WalkEmptySteps(benchmark::State& state) {
  EmptyOp op;
  RunList(state, &op, 300, 0, 300);
}
BENCHMARK(WalkEmptySteps)->DenseRange(1, 4)->UseRealTime();

void WalkMeetingSteps(benchmark::State& state) {
  EmptyOp op;
  RunList(state, &op, 300, 1, 300);
}
BENCHMARK(WalkMeetingSteps)->DenseRange(1, 4)->UseRealTime();

void WalkClaimingSteps(benchmark::State& state) {
  ClaimOp op;
  RunList(state, &op, 300, 1, 300);
}
BENCHMARK(WalkClaimingSteps)->DenseRange(1, 2)->UseRealTime();

void LaunchAndJoin(benchmark::State& state) {
  EmptyOp op;
  RunList(state, &op, 1, 0, 1);
}
BENCHMARK(LaunchAndJoin)->DenseRange(1, 4)->UseRealTime();

}  // namespace
}  // namespace tenon::cpu

BENCHMARK_MAIN();
