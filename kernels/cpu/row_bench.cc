// SPDX-License-Identifier: Apache-2.0
#include <benchmark/benchmark.h>

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/cpu/activation.h"
#include "kernels/cpu/bench_peak.h"
#include "kernels/cpu/dequantize.h"
#include "kernels/cpu/experts.h"
#include "kernels/cpu/int8_activations.h"
#include "kernels/cpu/maxima.h"
#include "kernels/cpu/norm.h"
#include "kernels/cpu/random_weights.h"
#include "kernels/cpu/rope.h"

// The kernels that go through rows once, at the sizes of SmolLM2-135M and Gemma 3 270M: GB/s read
// and written, share of what a core reads of memory as large as all that is touched (a cache, as a
// rule), and share of the level's f32 multiply-adds, of which an exponential counts as 12.
//   row_bench --benchmark_filter='avx2/'
namespace tenon::cpu {
namespace {

// What one call touches and does.
struct Amount {
  double read, written;  // bytes
  double operations;     // two a multiply-add
};

constexpr double kExpOperations = 24;

template <typename Call>
void Measure(benchmark::State& state, Isa isa, const Amount& amount, const Call& call) {
  for (auto _ : state) {
    call();
    benchmark::ClobberMemory();
  }
  const auto rate = [](double value) {
    return benchmark::Counter(value, benchmark::Counter::kIsIterationInvariantRate);
  };
  const double bytes = amount.read + amount.written;
  state.counters["GB/s"] = rate(1e-9 * bytes);
  state.counters["% of reads"] =
      rate(100 * bytes / ReadBytesPerSecond(isa, static_cast<int64_t>(bytes)));
  if (amount.operations == 0) return;
  state.counters["% of f32"] = rate(100 * amount.operations / PeakOpsPerSecond(isa, "f32"));
}

template <typename Call>
void Add(const std::string& name, Isa isa, const Amount& amount, const Call& call) {
  const std::string full = std::string(LevelOf(isa).name) + "/" + name;
  benchmark::RegisterBenchmark(full.c_str(), [isa, amount, call](benchmark::State& state) {
    Measure(state, isa, amount, call);
  });
}

// Memory that lives as long as the process.
float* Floats(int64_t count, uint32_t seed) {
  auto* values = new std::vector<float>(RandomFloats(count, seed));
  return values->data();
}

Int8Block* Blocks(int64_t values) {
  return (new AlignedBytes(Int8Blocks(values) * int64_t{sizeof(Int8Block)}))->As<Int8Block>();
}

void AddNorms(Isa isa) {
  for (const int64_t n : {576, 640}) {
    const double count = static_cast<double>(n);
    const std::string size = std::to_string(n);
    const float *x = Floats(n, 1), *weight = Floats(n, 2), *bias = Floats(n, 3);
    float* out = Floats(n, 4);
    Int8Block* blocks = Blocks(n);
    const RmsNormFunction norm = RmsNormOf(isa);
    Add("rms_norm/" + size, isa, {8 * count, 4 * count, 4 * count},
        [=] { norm(x, 1, n, weight, 1e-5f, out); });
    Add("rms_norm+quantize/" + size, isa, {8 * count, 2 * count, 9 * count}, [=] {
      norm(x, 1, n, weight, 1e-5f, out);
      QuantizeInt8(isa, out, n, blocks);
    });
    const LayerNormFunction layer = LayerNormOf(isa);
    Add("layer_norm/" + size, isa, {12 * count, 4 * count, 8 * count},
        [=] { layer(x, nullptr, n, weight, bias, 1e-5f, out); });
  }
}

void AddActivations(Isa isa) {
  constexpr int64_t kCount = 1536;
  constexpr double kValues = kCount;
  const float *gate = Floats(kCount, 1), *up = Floats(kCount, 2);
  float* out = Floats(kCount, 3);
  const ActivationFunctions& f = ActivationsOf(isa);
  const Amount glu = {8 * kValues, 4 * kValues, (kExpOperations + 6) * kValues};
  Add("glu_silu/1536", isa, glu, [=, &f] { f.silu(gate, up, kCount, out); });
  Add("glu_gelu_tanh/1536", isa, glu, [=, &f] { f.gelu_tanh(gate, up, kCount, out); });
  Add("add/1536", isa, {8 * kValues, 4 * kValues, kValues},
      [=, &f] { f.add(gate, up, kCount, out); });
  Int8Block* blocks = Blocks(kCount);
  Add("quantize/1536", isa, {4 * kValues, 2 * kValues, 5 * kValues},
      [=] { QuantizeInt8(isa, gate, kCount, blocks); });
  const ExpertFunctions& experts = ExpertFunctionsOf(isa);
  Add("clamped_glu/1536", isa, glu,
      [=, &experts] { experts.clamped_glu(gate, up, 1.7f, 7, kCount, out); });
  const float *rows = Floats(8 * kCount, 5), *weights = Floats(8, 6);
  Add("weighted_sum/8x1536", isa, {32 * kValues, 4 * kValues, 16 * kValues},
      [=, &experts] { experts.weighted_sum(rows, kCount, weights, 8, nullptr, kCount, out); });
}

void AddRope(Isa isa) {
  constexpr int64_t kHeads = 12, kHeadDim = 64, kPairs = 32;
  constexpr double kBytes = 4.0 * kHeads * kHeadDim;
  float* x = Floats(kHeads * kHeadDim, 1);
  float *cosines = Floats(kPairs, 2), *sines = Floats(kPairs, 3);
  const RopeFunctions& rope = RopeOf(isa);
  std::vector<float> frequencies(kPairs, 0.01f);
  rope.angles(frequencies.data(), kPairs, 5, 1, cosines, sines);
  const Amount amount = {kBytes, kBytes, 6.0 * kHeads * kPairs};
  Add("rope_halves/12x64", isa, amount,
      [=, &rope] { rope.halves(x, kHeads, kHeadDim, kPairs, cosines, sines); });
  Add("rope_neighbours/12x64", isa, amount,
      [=, &rope] { rope.neighbours(x, kHeads, kHeadDim, kPairs, cosines, sines); });
  Add("rope_angles/32", isa, {4.0 * kPairs, 8.0 * kPairs, 0},
      [=, &rope] { rope.angles(sines, kPairs, 777, 1, cosines, cosines); });
}

void AddDequantize(Isa isa) {
  constexpr int64_t kCount = 32768;
  constexpr DType kTypes[] = {DType::kF16,  DType::kBF16, DType::kF8E4M3, DType::kQ4_0,
                              DType::kQ4_1, DType::kQ5_0, DType::kQ5_1,   DType::kQ8_0,
                              DType::kQ4_K, DType::kQ5_K, DType::kQ6_K};
  float* out = Floats(kCount, 1);
  for (const DType type : kTypes) {
    const auto* stored = new std::vector<uint8_t>(RandomStored(type, kCount, 2));
    const DequantizeFunction unpack = DequantizerOf(isa, type);
    Add(std::string("dequantize/") + Layout(type).name, isa,
        {static_cast<double>(stored->size()), 4.0 * kCount, 0},
        [=] { unpack(stored->data(), kCount, out); });
  }
  auto* halves = new std::vector<uint16_t>(kCount);
  Add("convert/f16", isa, {4.0 * kCount, 2.0 * kCount, 0},
      [=] { ConvertToF16(isa, out, kCount, halves->data()); });
}

void AddMaxima(Isa isa) {
  for (const int64_t n : {49152, 262144}) {
    const float* x = Floats(n, 1);
    float* out = Floats(n / kMaximaBlock, 2);
    Add("maxima/" + std::to_string(n), isa, {4.0 * static_cast<double>(n), 0, 0},
        [=] { BlockMaxima(isa, x, n, out); });
  }
}

}  // namespace
}  // namespace tenon::cpu

int main(int argc, char** argv) {
  using namespace tenon::cpu;
  for (uint32_t level = 0; level < kIsaCount; ++level) {
    if (!IsaLevels()[level].available) continue;
    const Isa isa = IsaLevels()[level].isa;
    AddNorms(isa);
    AddActivations(isa);
    AddRope(isa);
    AddDequantize(isa);
    AddMaxima(isa);
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
