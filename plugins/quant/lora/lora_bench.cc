// SPDX-License-Identifier: Apache-2.0
#include <benchmark/benchmark.h>

#include <string>

#include "plugins/quant/lora/lora_rig.h"

// The op behind one linear on one lane, and that linear itself in Q4_1 with int8 activations: what
// an adapter adds. SmolLM2-135M's q, k, v and 4096 columns, as models of 7 B have.
extern "C" const tenon::PluginInfo* tenon_plugin_v1_quant_native();

namespace tenon::quant {
namespace {

struct Shape {
  const char* name;
  std::vector<int64_t> matrices;
  int64_t inputs;
};
const Shape kShapes[] = {{"smollm2-qkv", {576, 192, 192}, 576},
                         {"7b-qkv", {4096, 1024, 1024}, 4096}};

// `adapters` 0: no row has one.
void Adapters(benchmark::State& state, const Shape& shape, int64_t rank, int32_t rows,
              int32_t adapters) {
  LoraRig rig(1, "", shape.matrices, shape.inputs, rows);
  TestDeltas deltas;
  for (int32_t adapter = 0; adapter < std::max(adapters, 1); ++adapter) {
    for (size_t m = 0; m < shape.matrices.size(); ++m) {
      deltas.Add(adapter, "m" + std::to_string(m), rank, shape.inputs, shape.matrices[m], 1,
                 DType::kF16);
    }
  }
  if (rig.Prepare(deltas) != Status::kOk) return state.SkipWithError(rig.host.failure.c_str());
  std::vector<std::pair<int32_t, int32_t>> sequences;
  for (int32_t row = 0; row < rows; ++row) {
    sequences.emplace_back(1, adapters == 0 ? -1 : row % adapters);
  }
  const TestStep step(sequences);
  const Batch batch = step.View();
  for (auto _ : state) {
    int64_t piece = 0;
    rig.planned.op->Run(batch, {0, 1, nullptr, &piece, nullptr, nullptr, nullptr});
  }
  state.counters["us/token"] = benchmark::Counter(
      rows * 1e-6, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

void Linear(benchmark::State& state, const Shape& shape, int32_t rows) {
  std::vector<std::pair<DType, int64_t>> shapes;
  for (const int64_t one : shape.matrices) shapes.emplace_back(DType::kQ4_1, one);
  TestLinear linear(shapes, shape.inputs, rows, false, false);
  TestHost host;
  TestDevice device(1, "");
  TestComponent native(*tenon_plugin_v1_quant_native()->components[0], host, device, "int8");
  PlannedOp planned;
  if (native.quant().Plan(linear.Spec(), &planned) != Status::kOk) {
    return state.SkipWithError(host.failure.c_str());
  }
  const Batch batch = TestBatch(rows);
  for (auto _ : state) {
    int64_t piece = 0;
    planned.op->Run(batch, {0, 1, nullptr, &piece, nullptr, nullptr, nullptr});
  }
  state.counters["us/token"] = benchmark::Counter(
      rows * 1e-6, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

void Register() {
  for (const Shape& shape : kShapes) {
    for (const int32_t rows : {1, 8, 64}) {
      const std::string at = std::string(shape.name) + "/" + std::to_string(rows) + "rows";
      benchmark::RegisterBenchmark((at + "/linear").c_str(), Linear, shape, rows);
      benchmark::RegisterBenchmark((at + "/none").c_str(), Adapters, shape, 16, rows, 0);
      for (const int64_t rank : {8, 16, 64}) {
        for (const int32_t adapters : {1, 8}) {
          if (adapters > rows) continue;
          const std::string name =
              at + "/rank" + std::to_string(rank) + "/" + std::to_string(adapters) + "adapters";
          benchmark::RegisterBenchmark(name.c_str(), Adapters, shape, rank, rows, adapters);
        }
      }
    }
  }
}

}  // namespace
}  // namespace tenon::quant

int main(int count, char** arguments) {
  benchmark::Initialize(&count, arguments);
  tenon::quant::Register();
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
