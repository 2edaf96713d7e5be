// SPDX-License-Identifier: Apache-2.0
#include <benchmark/benchmark.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "kernels/cpu/bench_peak.h"
#include "kernels/cpu/random_weights.h"
#include "plugins/quant/common/test_device.h"
#include "plugins/quant/native/native.h"

extern "C" const tenon::PluginInfo* tenon_plugin_v1_quant_native();

// A grouped linear of 64 experts, 8 chosen, on one lane, beside linears that read the same weights
// and do the same operations: for one token 8 experts' rows in one matrix, of which there are 8 to
// take in turn; for 64 tokens all experts' rows in one, for the 8 tokens that each expert has on
// average. F8 has a scale for each 128 rows and 128 columns.
//   grouped_bench --benchmark_filter='q4_1'
namespace tenon::quant {
namespace {

constexpr int32_t kExperts = 64, kSlots = 8;
constexpr int64_t kRows = 768, kColumns = 2048;

Buffer BufferOf(void* data, DType dtype, int32_t rows, int64_t columns) {
  return {data, dtype, RowSet::kTokens, rows, static_cast<int32_t>(columns), columns * 4};
}

// One op with its memory.
struct Work {
  std::vector<std::vector<uint8_t>> stored;
  std::vector<Weight> weights;
  std::vector<float> x, out, scales;
  std::vector<int32_t> numbers;
  std::vector<Buffer> inputs, outputs;
  int32_t rows = 0;

  // `matrices` of kRows * scale rows.
  void AddWeights(DType type, int32_t matrices, int64_t scale) {
    const int64_t row_bytes = static_cast<int64_t>(BytesOf(type, kColumns));
    const std::vector<uint8_t> one = cpu::RandomStored(type, kRows * kColumns, 1);
    for (int32_t i = 0; i < matrices; ++i) {
      stored.emplace_back();
      for (int64_t s = 0; s < scale; ++s) {
        stored.back().insert(stored.back().end(), one.begin(), one.end());
      }
      weights.push_back({"w", {type, stored.back().data(), kRows * scale, kColumns}, row_bytes});
      if (type != DType::kF8E4M3) continue;
      scales.resize(static_cast<size_t>(kExperts * kRows / 128 * kColumns / 128), 0.5f);
      weights.back().scales = {DType::kF32, scales.data(), kRows * scale / 128, kColumns / 128};
      weights.back().scale_rows = weights.back().scale_columns = 128;
    }
  }
  void AddBuffers(int32_t tokens, int64_t out_columns) {
    rows = tokens;
    x = cpu::RandomFloats(tokens * kColumns, 2);
    out.resize(static_cast<size_t>(tokens * out_columns));
    inputs = {BufferOf(x.data(), DType::kF32, tokens, kColumns)};
    outputs = {BufferOf(out.data(), DType::kF32, tokens, out_columns)};
  }
};

// Each token takes kSlots experts of its own, drawn at random.
void Choose(Work& work) {
  std::mt19937 random(3);
  std::vector<int32_t> all(kExperts);
  for (int32_t e = 0; e < kExperts; ++e) all[static_cast<size_t>(e)] = e;
  for (int32_t t = 0; t < work.rows; ++t) {
    std::shuffle(all.begin(), all.end(), random);
    work.numbers.insert(work.numbers.end(), all.begin(), all.begin() + kSlots);
  }
  work.inputs.push_back(BufferOf(work.numbers.data(), DType::kI32, work.rows, kSlots));
}

// Runs the ops in turn; each takes `weights` of the work's.
template <typename P>
void Measure(benchmark::State& state, Work& work, const char* kind, const P& params,
             uint64_t weights, const char* experts, double bytes) {
  TestHost host;
  TestDevice device(1, "");
  TestComponent native(*tenon_plugin_v1_quant_native()->components[0], host, device, "int8",
                       experts);
  std::vector<PlannedOp> ops(work.weights.size() / weights);
  for (uint64_t i = 0; i < ops.size(); ++i) {
    const OpSpec spec{kind,
                      kind,
                      {work.inputs.data(), work.inputs.size()},
                      {work.outputs.data(), work.outputs.size()},
                      {work.weights.data() + i * weights, weights},
                      &params,
                      sizeof(params),
                      nullptr,
                      0};
    if (native.quant().Plan(spec, &ops[i]) != Status::kOk) {
      return state.SkipWithError(host.failure.c_str());
    }
  }
  const Batch batch = TestBatch(work.rows);
  uint64_t step = 0;
  for (auto _ : state) {
    for (int32_t& number : work.numbers) number = (number + 11) % kExperts;
    device.RunOp(*ops[step++ % ops.size()].op, batch);
  }
  const auto rate = [](double value) {
    return benchmark::Counter(value, benchmark::Counter::kIsIterationInvariantRate);
  };
  const cpu::Isa isa = cpu::ActiveIsa();
  const double touched = static_cast<double>(work.stored.size() * work.stored[0].size());
  state.counters["GB/s"] = rate(1e-9 * bytes);
  state.counters["% of reads"] =
      rate(100 * bytes / cpu::ReadBytesPerSecond(isa, static_cast<int64_t>(touched)));
}

// Bytes of the weights that a step reads.
double StepBytes(DType type, int32_t tokens) {
  const double experts = tokens == 1 ? kSlots : kExperts;
  return experts * static_cast<double>(BytesOf(type, kRows * kColumns));
}

void Grouped(benchmark::State& state, DType type, int32_t tokens, const char* experts) {
  Work work;
  work.AddWeights(type, kExperts, 1);
  work.AddBuffers(tokens, kSlots * kRows);
  Choose(work);
  Measure(state, work, kGroupedLinear, GroupedLinearParams{1, kExperts, kSlots, 0, 0}, kExperts,
          experts, StepBytes(type, tokens));
}

void Dense(benchmark::State& state, DType type, int32_t tokens) {
  Work work;
  const int64_t experts = tokens == 1 ? kSlots : kExperts;
  work.AddWeights(type, static_cast<int32_t>(kExperts / experts), experts);
  work.AddBuffers(tokens == 1 ? 1 : tokens * kSlots / kExperts, experts * kRows);
  Measure(state, work, kLinear, LinearParams{1, 0, 0}, 1, "packed", StepBytes(type, tokens));
}

void RegisterAll() {
  for (const DType type : {DType::kQ4_1, DType::kF16, DType::kF8E4M3}) {
    for (const int32_t tokens : {1, 64}) {
      const std::string name =
          std::string(Layout(type).name) + "/" + std::to_string(tokens) + "_tokens";
      const auto add = [&](const char* what, auto run) {
        benchmark::RegisterBenchmark((what + name).c_str(), run)->Unit(benchmark::kMicrosecond);
      };
      add("dense/", [=](benchmark::State& s) { Dense(s, type, tokens); });
      add("grouped/", [=](benchmark::State& s) { Grouped(s, type, tokens, "packed"); });
      if (type != DType::kQ4_1) continue;
      add("mapped/", [=](benchmark::State& s) { Grouped(s, type, tokens, "mapped"); });
    }
  }
}

}  // namespace
}  // namespace tenon::quant

int main(int argc, char** argv) {
  tenon::quant::RegisterAll();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
