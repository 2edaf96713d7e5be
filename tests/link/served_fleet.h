// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <future>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "apps/link/fleet.h"

// A fleet of real worker processes over a tiny model, with a plugin that fails on demand.
namespace tenon::apps::testing {

using Clock = std::chrono::steady_clock;

inline constexpr int32_t kCrash = 301;
inline constexpr int32_t kAbort = 302;
inline constexpr int32_t kHang = 303;

template <typename Condition>
bool Eventually(Condition condition, double seconds = 120) {
  const auto end = Clock::now() + std::chrono::duration<double>(seconds);
  while (!condition()) {
    if (Clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

// What one request heard, and when it ended.
class Stream {
 public:
  OnGenerateEvent OnEvent(int32_t choices = 1) {
    left_ = choices;
    return [this](GenerateEvent event) {
      const std::lock_guard lock(mutex_);
      for (const GeneratedToken& token : event.tokens) ids_.push_back(token.id);
      if (event.finish == core::FinishReason::kNone) return;
      if (event.finish != core::FinishReason::kError && --left_ > 0) return;
      if (!ended_) at_ = Clock::now();
      ended_ = true;
      last_ = std::move(event);
    };
  }
  bool Ended() const {
    const std::lock_guard lock(mutex_);
    return ended_;
  }
  size_t Tokens() const {
    const std::lock_guard lock(mutex_);
    return ids_.size();
  }
  // REQUIRES: Ended()
  const GenerateEvent& Last() const { return last_; }
  const std::vector<int32_t>& Ids() const { return ids_; }
  Clock::time_point At() const { return at_; }

 private:
  mutable std::mutex mutex_;
  std::vector<int32_t> ids_;
  GenerateEvent last_;
  Clock::time_point at_;
  int32_t left_ = 1;
  bool ended_ = false;
};

struct ServedFleet {
  // `serve`: lines of the pipeline besides.
  explicit ServedFleet(const std::string& serve = "", int sleep_us = 3000) {
    std::string name = ::testing::TempDir() + "tenon-fleet-XXXXXX";
    folder = mkdtemp(name.data());
    std::filesystem::create_directory(folder + "/model");
    const std::string data = TENON_SOURCE_DIR "/tests/data/";
    for (const char* file : {"models/llama/config.json", "models/llama/model.safetensors",
                             "tokenizers/gpt2/tokenizer.json"}) {
      const std::filesystem::path from = data + file;
      std::filesystem::create_symlink(from, folder + "/model/" + from.filename().string());
    }
    WritePipeline(sleep_us, serve);
  }
  ~ServedFleet() {
    fleet.reset();
    std::filesystem::remove_all(folder);
  }

  std::string Path() const { return folder + "/pipeline.yaml"; }
  void WritePipeline(int sleep_us, const std::string& more) {
    std::ofstream file(Path());
    file << "model: ./model\nplugins: [" TENON_BINARY_DIR "/tests/link/link_faulty.so]\n"
         << "device: {use: cpu, threads: 2}\nattention: {use: paged}\nquant: {use: native}\n"
         << "scheduler: {use: chunked, max_sequences: 32}\nparallel: {use: none}\n"
         << "decoding:\n  - {use: acme.faulty, sleep_us: " << sleep_us
         << ", crash_token: " << kCrash << ", abort_token: " << kAbort << ", hang_token: " << kHang
         << "}\n  - {use: greedy}\n"
         << more;
  }

  void Start() {
    FleetOptions options;
    options.pipelines = {{Path(), {}, {}}};
    options.model_names = {"tiny"};
    options.binary = TENON_BINARY_DIR "/bin/tenon";
    options.folder = folder + "/run";
    options.step_limit_s = step_limit_s;
    FleetEvents events;
    events.on_problem = [this](const std::string& text) {
      const std::lock_guard lock(mutex);
      log += text + "\n";
    };
    auto started = Fleet::Start(options, events);
    ASSERT_TRUE(started.ok()) << started.error().message;
    fleet = std::move(*started);
  }
  void StartAndWait() {
    Start();
    ASSERT_TRUE(WaitReady()) << fleet->WhyNotReady() << fleet->Failed() << Log();
  }
  bool WaitReady(double seconds = 60) {
    return Eventually([&] { return fleet->WhyNotReady().empty(); }, seconds);
  }
  std::string Log() {
    const std::lock_guard lock(mutex);
    return log;
  }

  // Of this process's children, the workers.
  static std::vector<pid_t> Workers() {
    std::vector<pid_t> pids;
    for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
      std::ifstream children(task.path() / "children");
      for (pid_t pid = 0; children >> pid;) pids.push_back(pid);
    }
    return pids;
  }

  std::shared_ptr<EngineClient> Engine() { return fleet->Models().at(0)->engine; }
  uint64_t Generate(std::vector<int32_t> prompt, int32_t tokens, Stream& stream) {
    GenerateRequest request;
    request.prompt = std::move(prompt);
    request.max_tokens = tokens;
    return Engine()->Generate(std::move(request), stream.OnEvent());
  }

  std::string folder;
  double step_limit_s = 120;
  std::mutex mutex;
  std::string log;
  std::unique_ptr<Fleet> fleet;
};

}  // namespace tenon::apps::testing
