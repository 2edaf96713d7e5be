// SPDX-License-Identifier: Apache-2.0
// Time of choosing one token, on random logits, or on those of a file of f32 (bench/sampling.py
// writes one), and the share of what one core reads: one pass over the logits is 100 %.
//   sampling_bench [--logits=FILE] --benchmark_time_unit=us
#include <benchmark/benchmark.h>

#include <cstdio>
#include <cstring>
#include <fstream>
#include <random>
#include <vector>

#include "kernels/cpu/bench_peak.h"

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

// Bytes of one pass over the logits as a share of what a core reads of memory as large.
void SetShare(benchmark::State& state, const std::vector<float>& logits) {
  const double bytes = static_cast<double>(logits.size() * sizeof(float));
  const double limit = cpu::ReadBytesPerSecond(cpu::ActiveIsa(), static_cast<int64_t>(bytes));
  state.counters["% of one pass"] = benchmark::Counter(
      100 * bytes / limit * static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}

void Choose(benchmark::State& state, const Filter& filter, const std::vector<float>& logits) {
  const int64_t size = static_cast<int64_t>(logits.size());
  std::vector<double> scratch(Selection::ScratchBytes(size) / sizeof(double) + 8);
  uint64_t position = 0;
  for (auto _ : state) {
    const Selection selection({logits.data(), logits.size()}, filter, scratch.data());
    benchmark::DoNotOptimize(selection.Pick(Philox::At(1, position++).Uniform()));
  }
  SetShare(state, logits);
}

void Run(benchmark::State& state, const Filter& filter, float spread) {
  Choose(state, filter, RandomLogits(state.range(0), spread));
}

void ArgMaxOnly(benchmark::State& state) {
  const std::vector<float> logits = RandomLogits(state.range(0), 2.5f);
  for (auto _ : state) benchmark::DoNotOptimize(ArgMax({logits.data(), logits.size()}));
  SetShare(state, logits);
}

BENCHMARK(ArgMaxOnly)->Arg(49152)->Arg(262144);
BENCHMARK_CAPTURE(Run, k40_p95, Filter{0.8, 40, 0.95, 0}, 2.5f)->Arg(49152)->Arg(262144);
BENCHMARK_CAPTURE(Run, k1000, Filter{0.8, 1000, 1, 0}, 2.5f)->Arg(49152)->Arg(262144);
BENCHMARK_CAPTURE(Run, p90, Filter{0.2, 0, 0.9, 0}, 2.5f)->Arg(49152)->Arg(262144);
BENCHMARK_CAPTURE(Run, p95_flat, Filter{1.0, 0, 0.95, 0}, 0.5f)->Arg(49152)->Arg(262144);
BENCHMARK_CAPTURE(Run, min_p, Filter{1.0, 0, 1, 0.05}, 2.5f)->Arg(49152)->Arg(262144);
BENCHMARK_CAPTURE(Run, plain, Filter{1.0, 0, 1, 0}, 2.5f)->Arg(49152)->Arg(262144);

std::vector<float> ReadLogits(const char* path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) return {};
  std::vector<float> logits(static_cast<size_t>(file.tellg()) / sizeof(float));
  file.seekg(0);
  file.read(reinterpret_cast<char*>(logits.data()),
            static_cast<std::streamsize>(logits.size() * sizeof(float)));
  return logits;
}

// Takes --logits=FILE out of the arguments. False where the file holds none.
bool RegisterFile(int* argc, char** argv) {
  constexpr char kOption[] = "--logits=";
  constexpr size_t kLength = sizeof(kOption) - 1;
  int kept = 1;
  for (int i = 1; i < *argc; ++i) {
    if (std::strncmp(argv[i], kOption, kLength) != 0) {
      argv[kept++] = argv[i];
      continue;
    }
    const std::vector<float> logits = ReadLogits(argv[i] + kLength);
    if (logits.empty()) {
      std::fprintf(stderr, "%s holds no logits\n", argv[i] + kLength);
      return false;
    }
    benchmark::RegisterBenchmark("file/k40_p95", [logits](benchmark::State& state) {
      Choose(state, Filter{0.8, 40, 0.95, 0}, logits);
    });
  }
  *argc = kept;
  return true;
}

}  // namespace
}  // namespace tenon::decoding

int main(int argc, char** argv) {
  if (!tenon::decoding::RegisterFile(&argc, argv)) return 1;
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
