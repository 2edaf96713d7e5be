// SPDX-License-Identifier: Apache-2.0
#include <benchmark/benchmark.h>

#include <string>

#include "kernels/cpu/bench_peak.h"
#include "plugins/attention/common/attention_rig.h"

// One attention op on one lane: decode at a context, and a prompt of 512 tokens; latent ones (the
// shapes of DeepSeek-V2-Lite and V3) and encoders (all-MiniLM-L6-v2, and a BERT of 64 columns a
// head). Bytes are those of K and V that must be read once; operations are two for each of the two
// multiply-adds a score and column; the peak is f32's.
extern "C" const tenon::PluginInfo* tenon_plugin_v1_attention_paged();

namespace tenon::attention {
namespace {

struct Model {
  const char* name;
  AttentionParams layer;
  RigKind kind = RigKind::kCausal;
};
constexpr Model kModels[] = {{"smollm2-135m", {0, 9, 3, 64, 64, 0.125f, 0, 0, 0}},
                             {"gemma-3-270m", {0, 4, 1, 256, 256, 0.0625f, 0, 0, 0}}};
constexpr Model kLatentModels[] = {
    {"latent-16-heads", {0, 16, 1, 576, 512, 0.07f, 0, 0, 0}, RigKind::kLatent},
    {"latent-128-heads", {0, 128, 1, 576, 512, 0.07f, 0, 0, 0}, RigKind::kLatent}};
constexpr Model kEncoders[] = {
    {"minilm", {0, 12, 12, 32, 32, 0.18f, 0, 0, 0}, RigKind::kBidirectional},
    {"bert-base", {0, 12, 12, 64, 64, 0.125f, 0, 0, 0}, RigKind::kBidirectional}};

void Measure(benchmark::State& state, const Model& model, const std::string& isa,
             const char* kv_type, int32_t context, int32_t tokens) {
  RigSetup setup;
  setup.kind = model.kind;
  setup.layer = model.layer;
  setup.isa = isa;
  setup.options = {{"kv_type", kv_type}};
  setup.max_context = context + tokens;
  setup.max_tokens = 512;
  setup.max_sequences = 1;
  RigSession session(*tenon_plugin_v1_attention_paged(), setup);
  for (int32_t at = 0; at < context; at += 512) session.Run({{0, 512}});
  session.Run({{0, tokens}});
  for (auto _ : state) session.RunAgain();
  const bool all = model.kind == RigKind::kBidirectional;
  const double slots =
      all ? tokens : context + (tokens + 1) / 2.0;  // that a token sees, on average
  const AttentionParams& p = model.layer;
  const double operations = 2.0 * tokens * slots * p.heads * (p.head_dim + p.value_dim);
  const auto rate = [](double amount) {
    return benchmark::Counter(amount, benchmark::Counter::kIsIterationInvariantRate);
  };
  state.counters["GFLOP/s"] = rate(operations * 1e-9);
  const double peak = cpu::PeakOpsPerSecond(cpu::ChooseIsa(isa.c_str()).isa, "f32");
  if (peak > 0) state.counters["% of peak"] = rate(100 * operations / peak);
  if (tokens == 1) {
    const double bytes = static_cast<double>(session.KvBytes(context));
    state.counters["GB/s"] = rate(bytes * 1e-9);
    const cpu::Isa level = cpu::ChooseIsa(isa.c_str()).isa;
    const double read = cpu::ReadBytesPerSecond(level, static_cast<int64_t>(bytes));
    state.counters["% of reads"] = rate(100 * bytes / read);
  }
}

void Add(const std::string& isa, const Model& model, const char* type, const std::string& what,
         int32_t context, int32_t tokens) {
  const std::string name = isa + "/" + model.name + "/" + type + "/" + what;
  benchmark::RegisterBenchmark(name.c_str(), Measure, model, isa, type, context, tokens);
}

void Register() {
  for (const std::string& isa : RigIsas()) {
    for (const Model& model : kModels) {
      for (const char* type : {"f16", "f32", "bf16", "int8"}) {
        Add(isa, model, type, "decode@1024", 1024, 1);
        Add(isa, model, type, "decode@4096", 4096, 1);
        Add(isa, model, type, "prefill512", 0, 512);
      }
    }
    for (const Model& model : kLatentModels) {
      Add(isa, model, "f16", "decode@4096", 4096, 1);
      Add(isa, model, "f16", "prefill512", 0, 512);
    }
    for (const Model& model : kEncoders) {
      for (const int32_t tokens : {32, 128, 512}) {
        Add(isa, model, "f32", "sequence" + std::to_string(tokens), 0, tokens);
      }
    }
  }
}

}  // namespace
}  // namespace tenon::attention

int main(int count, char** arguments) {
  benchmark::Initialize(&count, arguments);
  tenon::attention::Register();
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
