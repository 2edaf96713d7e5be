// SPDX-License-Identifier: Apache-2.0
#include <benchmark/benchmark.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <string>
#include <vector>

#include "kernels/cpu/bench_peak.h"
#include "kernels/cpu/exact_gemm.h"
#include "kernels/cpu/int8_gemm.h"
#include "kernels/cpu/random_weights.h"

// Products of the CPU kernels over the shapes of SmolLM2-135M, as GOP/s (two operations a weight
// and token), share of what the level's multiply-adds reach on registers (kernels/cpu/peak.h), GB/s
// of weights, and tokens/s of the layers alone. Threads share each matrix's rows and do not meet.
//   gemm_bench --benchmark_filter='layers/int8/q4_1/avx512/1/'
namespace tenon::cpu {
namespace {

struct Shape {
  int64_t rows, k;
};
constexpr Shape kLayer[] = {{960, 576}, {576, 576}, {3072, 576}, {576, 1536}};
constexpr Shape kVocabulary[] = {{49152, 576}};
constexpr Shape kWide[] = {{640, 2048}};
constexpr int64_t kMaxK = 2048;
constexpr int64_t kMaxRows = 49152;

struct Matrix {
  Shape shape;
  uint8_t* weights;
};

// Memory in huge pages where the system gives them, as a device allocates it.
class Arena {
 public:
  Arena() = default;
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  ~Arena() { Clear(); }

  void Clear() {
    if (memory_ != nullptr) munmap(memory_, static_cast<size_t>(bytes_));
    memory_ = nullptr;
  }
  void Reset(int64_t bytes) {
    Clear();
    bytes_ = bytes + (int64_t{2} << 20);
    memory_ = mmap(nullptr, static_cast<size_t>(bytes_), PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    madvise(memory_, static_cast<size_t>(bytes_), MADV_HUGEPAGE);
    used_ = 0;
  }
  uint8_t* Take(int64_t bytes) {
    uint8_t* taken = static_cast<uint8_t*>(memory_) + used_;
    used_ += (bytes + 63) / 64 * 64;
    return taken;
  }

 private:
  void* memory_ = nullptr;
  int64_t bytes_ = 0;
  int64_t used_ = 0;
};

// The layers of one model in one type; packed, or as stored.
struct Model {
  Arena arena;
  std::vector<Matrix> matrices;
  int64_t bytes = 0;
  int64_t values = 0;
};

void MakeModel(DType type, bool int8, const Shape* shapes, int count, int layers, Model& model) {
  model.matrices.clear();
  model.bytes = model.values = 0;
  model.arena.Reset(int64_t{512} << 20);
  for (int i = 0; i < layers * count; ++i) {
    const Shape shape = shapes[i % count];
    const std::vector<uint8_t> stored = RandomStored(type, shape.rows * shape.k, 1);
    const int64_t row_bytes = static_cast<int64_t>(stored.size()) / shape.rows;
    constexpr int64_t R = kInt8PanelRows;
    const int64_t bytes =
        int8 ? shape.rows / R * Int8PanelBytes(type, shape.k) : static_cast<int64_t>(stored.size());
    uint8_t* weights = model.arena.Take(bytes);
    if (int8) {
      for (int64_t row = 0; row < shape.rows; row += R) {
        PackInt8Panel(type, stored.data() + row * row_bytes, row_bytes, R, shape.k,
                      weights + row / R * Int8PanelBytes(type, shape.k));
      }
    } else {
      std::memcpy(weights, stored.data(), stored.size());
    }
    model.matrices.push_back({shape, weights});
    model.bytes += bytes;
    model.values += shape.rows * shape.k;
  }
}

// What one thread multiplies with and into.
struct Workplace {
  explicit Workplace(int64_t tokens)
      : x(RandomFloats(tokens * kMaxK, 5)),
        out(static_cast<size_t>(tokens * kMaxRows)),
        quantized(tokens * Int8Blocks(kMaxK) * int64_t{sizeof(Int8Block)}),
        scratch(ExactScratchFloats(kMaxK) * 4) {}
  std::vector<float> x;
  std::vector<float> out;
  AlignedBytes quantized;
  AlignedBytes scratch;
};

struct Setting {
  DType type;
  Isa isa;
  bool int8;
  int64_t tokens;
};

void Multiply(const Setting& s, const Matrix& matrix, int64_t row, int64_t rows, Workplace& place,
              float* out) {
  const Epilogue epilogue{out + row, matrix.shape.rows, nullptr, nullptr, 0};
  const int64_t k = matrix.shape.k;
  if (s.int8) {
    constexpr int64_t R = kInt8PanelRows;
    const uint8_t* panels = matrix.weights + row / R * Int8PanelBytes(s.type, k);
    RunInt8Gemm(s.isa,
                {s.type, panels, rows, k, place.quantized.As<Int8Block>(), s.tokens, epilogue});
  } else {
    const int64_t row_bytes = static_cast<int64_t>(BytesOf(s.type, static_cast<uint64_t>(k)));
    RunExactGemm(s.isa, {place.x.data(), k, s.tokens, s.type, matrix.weights + row * row_bytes,
                         row_bytes, rows, k, epilogue, place.scratch.As<float>()});
  }
}

void Pass(benchmark::State& state, const Setting& s, const Model& model) {
  Workplace place(s.tokens);
  for (auto _ : state) {
    for (const Matrix& matrix : model.matrices) {
      if (s.int8) {
        for (int64_t t = 0; t < s.tokens; ++t) {
          if (t % state.threads() != state.thread_index() && s.tokens > 8) continue;
          QuantizeInt8(s.isa, place.x.data() + t * matrix.shape.k, matrix.shape.k,
                       place.quantized.As<Int8Block>() + t * Int8Blocks(matrix.shape.k));
        }
      }
      const int64_t panels = matrix.shape.rows / 16;
      const int64_t first = panels * state.thread_index() / state.threads() * 16;
      const int64_t end = panels * (state.thread_index() + 1) / state.threads() * 16;
      Multiply(s, matrix, first, end - first, place, place.out.data());
    }
  }
  using benchmark::Counter;

  // Google Benchmark divides the wall time by the iterations of all threads together.
  const double passes = static_cast<double>(state.iterations()) / state.threads();
  const double operations = 2e-9 * static_cast<double>(model.values * s.tokens) * passes;
  state.counters["GOP/s"] = Counter(operations, Counter::kIsRate);
  state.counters["GB/s"] =
      Counter(1e-9 * static_cast<double>(model.bytes) * passes, Counter::kIsRate);
  const double peak = 1e-9 * PeakOpsPerSecond(s.isa, s.int8 ? "int8" : "f32") * state.threads();
  if (peak > 0) state.counters["% of peak"] = Counter(100 * operations / peak, Counter::kIsRate);
  if (state.threads() == 1) {
    const double read = ReadBytesPerSecond(s.isa, model.bytes);
    const double bytes = static_cast<double>(model.bytes) * passes;
    state.counters["% of reads"] = Counter(100 * bytes / read, Counter::kIsRate);
  }
  state.counters["tokens/s"] = Counter(static_cast<double>(s.tokens) * passes, Counter::kIsRate);
}

struct Part {
  const char* name;
  const Shape* shapes;
  int count;
  int layers;
};
constexpr Part kParts[] = {{"layers", kLayer, 4, 30},
                           {"wide", kWide, 1, 30},
                           {"vocabulary", kVocabulary, 1, 1},
                           {"cached", kLayer + 1, 1, 1}};

// The model of one benchmark at a time, made by the first of its threads to come.
const Model& ModelOf(const Part& part, const Setting& s) {
  static std::mutex mutex;
  static Model model;
  static std::string made;
  const std::lock_guard lock(mutex);
  const std::string wanted = part.name + std::to_string(static_cast<int>(s.type)) +
                             LevelOf(s.isa).name + (s.int8 ? "i" : "f");
  if (made != wanted) {
    MakeModel(s.type, s.int8, part.shapes, part.count, part.layers, model);
    made = wanted;
  }
  return model;
}

void RegisterOne(const Part& part, const Setting& s) {
  const std::string name = std::string(part.name) + (s.int8 ? "/int8/" : "/f32/") +
                           Layout(s.type).name + "/" + LevelOf(s.isa).name + "/" +
                           std::to_string(s.tokens);
  auto* bench = benchmark::RegisterBenchmark(
      name.c_str(), [&part, s](benchmark::State& state) { Pass(state, s, ModelOf(part, s)); });
  bench->Threads(1)->Threads(2)->UseRealTime()->Unit(benchmark::kMillisecond);
}

void RegisterAll() {
  constexpr DType kTypes[] = {DType::kF32,  DType::kF16,  DType::kBF16, DType::kQ4_0,
                              DType::kQ4_1, DType::kQ5_0, DType::kQ5_1, DType::kQ8_0,
                              DType::kQ4_K, DType::kQ5_K, DType::kQ6_K};
  for (const Part& part : kParts) {
    for (const DType type : kTypes) {
      if (part.shapes[0].k % Layout(type).block_values != 0) continue;
      for (const bool int8 : {true, false}) {
        if (int8 && !CanPackInt8(type)) continue;
        for (uint32_t level = 0; level < kIsaCount; ++level) {
          if (!IsaLevels()[level].available) continue;
          for (const int64_t tokens : {1, 2, 4, 8, 16, 32, 128, 512}) {
            RegisterOne(part, {type, static_cast<Isa>(level), int8, tokens});
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace tenon::cpu

int main(int argc, char** argv) {
  tenon::cpu::RegisterAll();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
