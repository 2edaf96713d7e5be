// SPDX-License-Identifier: Apache-2.0
// Server-sent events that one core carries: a thread plays an engine that gives each stream a token
// in each step, another does the I/O, clients in a process of their own read over loopback. Counted
// in CPU time of the server's process. With a pause behind each step every event is a write of its
// own; without, those that are late share one.
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "apps/server/testing/client.h"
#include "apps/server/testing/fixture.h"
#include "benchmark/benchmark.h"

namespace tenon::apps::server {
namespace {

constexpr int64_t kEvents = 100000;

// As large as a chunk of a chat usually is.
constexpr const char* kChunk =
    R"({"id":"chatcmpl-0123456789abcdef0123456789abcdef","object":"chat.completion.chunk",)"
    R"("created":1700000000,"model":"smollm2-135m-instruct","choices":[{"index":0,"delta":)"
    R"({"content":" word"},"logprobs":null,"finish_reason":null}]})";

// Reads `streams` answers to their ends. Runs in a child process, ended by _exit.
[[noreturn]] void ReadStreams(int port_pipe, int64_t streams) {
  uint16_t port = 0;
  if (read(port_pipe, &port, sizeof(port)) != sizeof(port)) _exit(1);
  std::vector<testing::RawClient> clients;
  for (int64_t i = 0; i < streams; ++i) {
    clients.emplace_back(port);
    clients.back().Send(testing::Post("/v1/chat/completions", "{}", "Connection: close\r\n"));
  }
  std::vector<std::thread> readers;
  for (auto& client : clients) readers.emplace_back([&client] { client.Discard(); });
  for (std::thread& reader : readers) reader.join();
  _exit(0);
}

void ServerSentEvents(benchmark::State& state) {
  const int64_t streams = state.range(0);
  const std::chrono::microseconds pause(state.range(1));
  for (auto _ : state) {
    state.PauseTiming();
    int port_pipe[2];
    if (pipe(port_pipe) != 0) return state.SkipWithError("no pipe");
    const pid_t child = fork();
    if (child == 0) ReadStreams(port_pipe[0], streams);
    testing::ServerFixture server([](ServerOptions& options) {
      options.io_threads = 1;
      options.limits.unread_bytes = size_t{1} << 30;
    });
    server.api.on_start = [](const auto&) {};
    const uint16_t port = server.port();
    if (write(port_pipe[1], &port, sizeof(port)) != sizeof(port)) return;
    server.NextCall(static_cast<size_t>(streams - 1));
    const auto calls = server.api.Calls();
    state.ResumeTiming();
    for (int64_t step = 0; step < kEvents / streams; ++step) {
      for (const auto& call : calls) call->sink->Chunk(kChunk);
      if (pause.count() > 0) std::this_thread::sleep_for(pause);
    }
    for (const auto& call : calls) call->sink->End();
    int status = 0;
    waitpid(child, &status, 0);
    if (status != 0) state.SkipWithError("a client failed");
    close(port_pipe[0]);
    close(port_pipe[1]);
  }
  state.SetItemsProcessed(state.iterations() * (kEvents / streams) * streams);
}

BENCHMARK(ServerSentEvents)
    ->ArgNames({"streams", "pause_us"})
    ->Args({1, 0})
    ->Args({32, 0})
    ->Args({32, 1000})
    ->MeasureProcessCPUTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace tenon::apps::server

BENCHMARK_MAIN();
