// SPDX-License-Identifier: Apache-2.0
#include <benchmark/benchmark.h>

#include "apps/openai/testing/fakes.h"

// What a token costs on its way from the engine to a chunk of a stream, on one core.
namespace tenon::apps::openai {
namespace {

class CountingSink : public ReplySink {
 public:
  void Whole(std::string json) override { bytes += json.size(); }
  void Chunk(std::string json) override { bytes += json.size(); }
  void End() override {}
  void Fail(const ApiError&) override {}
  size_t bytes = 0;
};

void Stream(benchmark::State& state, const std::string& more, int32_t top) {
  testing::World world;
  const auto sink = std::make_shared<CountingSink>();
  world.api->Start(Endpoint::kChat,
                   R"({"messages":[{"role":"user","content":"hi"}],"stream":true)" + more + "}",
                   {"0123456789abcdef", "tenant"}, sink);
  GenerateEvent event;
  event.tokens = {{'e', -0.25f, {}}};
  for (int32_t i = 0; i < top; ++i) event.tokens[0].top.push_back({'a' + i, -1.5f});
  const OnGenerateEvent& hear = world.engine->started.at(0).on_event;
  for (auto _ : state) hear(event);
  state.SetItemsProcessed(state.iterations());
  state.SetBytesProcessed(static_cast<int64_t>(sink->bytes));
}

void Plain(benchmark::State& state) { Stream(state, "", 0); }
void WithStops(benchmark::State& state) { Stream(state, R"(,"stop":["\n\n","END","</s>"])", 0); }
void WithLogprobs(benchmark::State& state) {
  Stream(state, R"(,"logprobs":true,"top_logprobs":5)", 5);
}
BENCHMARK(Plain);
BENCHMARK(WithStops);
BENCHMARK(WithLogprobs);

// From a body to a request of the engine and its answer.
void Request(benchmark::State& state) {
  testing::World world;
  world.engine->answers_at_once = true;
  const auto sink = std::make_shared<CountingSink>();
  const std::string body = R"({"messages":[{"role":"user","content":")" + std::string(400, 'a') +
                           R"("}],"max_tokens":16,"temperature":0.7})";
  for (auto _ : state) {
    world.api->Start(Endpoint::kChat, body, {"r", "tenant"}, sink);
    world.engine->started.clear();
    world.observer.records.clear();
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(Request);

}  // namespace
}  // namespace tenon::apps::openai

BENCHMARK_MAIN();
