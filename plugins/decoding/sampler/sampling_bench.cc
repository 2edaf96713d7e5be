// SPDX-License-Identifier: Apache-2.0
// Microseconds a token of Sample on random logits: sampling_bench --benchmark_time_unit=us
#include <benchmark/benchmark.h>

#include <random>
#include <vector>

#include "plugins/decoding/common/arg_max.h"
#include "plugins/decoding/sampler/philox.h"
#include "plugins/decoding/sampler/selection.h"

namespace tenon::decoding {
namespace {

std::vector<float> RandomLogits(int64_t vocabulary, float spread) {
  std::mt19937 random(5);
  std::normal_distribution<float> normal(0, spread);
  std::vector<float> logits(vocabulary);
  for (float& x : logits) x = normal(random);
  return logits;
}

void Run(benchmark::State& state, const Filter& filter, float spread) {
  const std::vector<float> logits = RandomLogits(state.range(0), spread);
  std::vector<double> scratch(Selection::ScratchBytes(state.range(0)) / sizeof(double) + 8);
  uint64_t position = 0;
  for (auto _ : state) {
    const Selection selection({logits.data(), logits.size()}, filter, scratch.data());
    benchmark::DoNotOptimize(selection.Pick(Philox::At(1, position++).Uniform()));
  }
}

void ArgMaxOnly(benchmark::State& state) {
  const std::vector<float> logits = RandomLogits(state.range(0), 2.5f);
  for (auto _ : state) benchmark::DoNotOptimize(ArgMax({logits.data(), logits.size()}));
}

BENCHMARK(ArgMaxOnly)->Arg(49152)->Arg(262144);
BENCHMARK_CAPTURE(Run, k40_p95, Filter{0.8, 40, 0.95, 0}, 2.5f)->Arg(49152)->Arg(262144);
BENCHMARK_CAPTURE(Run, k1000, Filter{0.8, 1000, 1, 0}, 2.5f)->Arg(49152)->Arg(262144);
BENCHMARK_CAPTURE(Run, p90, Filter{0.2, 0, 0.9, 0}, 2.5f)->Arg(49152)->Arg(262144);
BENCHMARK_CAPTURE(Run, p95_flat, Filter{1.0, 0, 0.95, 0}, 0.5f)->Arg(49152)->Arg(262144);
BENCHMARK_CAPTURE(Run, min_p, Filter{1.0, 0, 1, 0.05}, 2.5f)->Arg(49152)->Arg(262144);
BENCHMARK_CAPTURE(Run, plain, Filter{1.0, 0, 1, 0}, 2.5f)->Arg(49152)->Arg(262144);

}  // namespace
}  // namespace tenon::decoding

BENCHMARK_MAIN();
