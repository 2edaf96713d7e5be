// SPDX-License-Identifier: Apache-2.0
// What the link between front end and worker costs: a stub engine in a second process tells a token
// of each stream every so often. Prints the processor time of both ends and the way's duration.
//   link_bench [streams=32] [pace_us=15000] [steps=400]
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "apps/link/remote_client.h"
#include "apps/link/worker_service.h"

namespace {

using namespace tenon;
using namespace tenon::apps;

int64_t NowUs() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

double CpuUs() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto us = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_usec);
  };
  return us(usage.ru_utime) + us(usage.ru_stime);
}

// One token of each request a step. The prompt's first token says how many; in `queued_us` stands
// when the step ended, and in the last step's the processor time so far.
class StubEngine final : public EngineClient {
 public:
  EngineFacts Facts() const override {
    EngineFacts facts;
    facts.vocabulary = facts.max_context = 1 << 20;
    facts.max_sequences = 1024;
    return facts;
  }
  EngineState State() const override {
    EngineState state;
    state.ready = true;
    return state;
  }
  uint64_t Generate(GenerateRequest, OnGenerateEvent on_event) override {
    const std::lock_guard lock(mutex_);
    open_.push_back(std::move(on_event));
    return open_.size();
  }
  void Cancel(uint64_t, int32_t) override {}
  void Embed(std::vector<std::vector<int32_t>>, OnEmbeddings) override {}

  size_t Open() {
    const std::lock_guard lock(mutex_);
    return open_.size();
  }
  void Step(int32_t token, bool last, int64_t note) {
    const std::lock_guard lock(mutex_);
    for (const OnGenerateEvent& on_event : open_) {
      GenerateEvent event;
      event.tokens.push_back({.id = token, .logprob = 0, .top = {}});
      event.queued_us = note;
      if (last) event.finish = core::FinishReason::kLength;
      on_event(std::move(event));
    }
  }

 private:
  std::mutex mutex_;
  std::vector<OnGenerateEvent> open_;
};

[[noreturn]] void RunStub(const std::string& socket, size_t streams, int pace_us, int steps) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  auto service = std::move(*link::WorkerService::Listen({.socket = socket, .host = "", .tls = {}}));
  const auto engine = std::make_shared<StubEngine>();
  service->Serve(engine, {});
  const auto after_step = service->AfterStep();
  while (engine->Open() < streams) usleep(1000);
  const double start = CpuUs();
  for (int step = 0; step + 1 < steps; ++step) {
    usleep(static_cast<useconds_t>(pace_us));
    engine->Step(step, false, NowUs());
    after_step();
  }
  usleep(100000);
  engine->Step(0, true, static_cast<int64_t>(CpuUs() - start));
  after_step();
  for (;;) pause();
}

}  // namespace

int main(int argc, char** argv) {
  const auto argument = [&](int i, int other) { return argc > i ? std::atoi(argv[i]) : other; };
  const int streams = argument(1, 32), pace_us = argument(2, 15000), steps = argument(3, 400);
  char folder[] = "/tmp/tenon-link-bench-XXXXXX";
  if (mkdtemp(folder) == nullptr) return 1;
  const std::string socket = std::string(folder) + "/s";
  const pid_t worker = fork();
  if (worker == 0) RunStub(socket, static_cast<size_t>(streams), pace_us, steps);
  while (access(socket.c_str(), F_OK) != 0) usleep(1000);
  auto client =
      std::move(*link::RemoteClient::Connect({.socket = socket, .host = "", .tls = {}}, [] {}));
  while (!client->Link().serving) usleep(1000);
  std::vector<int64_t> ways;
  std::atomic<int> heard = 0, ended = 0;
  std::atomic<int64_t> worker_us = 0;
  const double start = CpuUs();
  for (int i = 0; i < streams; ++i) {
    GenerateRequest request;
    request.prompt = {1};
    client->Generate(std::move(request), [&](GenerateEvent event) {
      if (event.finish != core::FinishReason::kNone) {
        worker_us = event.queued_us;
        ++ended;
      } else if (++heard % streams == 0) {
        ways.push_back(NowUs() - event.queued_us);
      }
    });
  }
  while (ended < streams) usleep(10000);
  const double front_us = CpuUs() - start;
  std::sort(ways.begin(), ways.end());
  const auto at = [&](double part) {
    return ways[static_cast<size_t>(part * static_cast<double>(ways.size() - 1))];
  };
  std::printf(
      "%d streams, a step every %d us, %d steps: processor time a step: worker %.0f us, front end "
      "%.0f us; "
      "a step's way: median %lld us, p99 %lld us\n",
      streams, pace_us, steps, static_cast<double>(worker_us) / steps, front_us / steps,
      static_cast<long long>(at(0.5)), static_cast<long long>(at(0.99)));
  kill(worker, SIGKILL);
  waitpid(worker, nullptr, 0);
  unlink(socket.c_str());
  rmdir(folder);
  // Threads of gRPC's are not waited for.
  std::fflush(stdout);
  _exit(0);
}
