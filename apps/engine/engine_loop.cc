// SPDX-License-Identifier: Apache-2.0
#include "apps/engine/engine_loop.h"

#include <thread>
#include <utility>
#include <vector>

namespace tenon::apps {
namespace {

// Threads that nobody could wait for.
class LeftThreads {
 public:
  // Made when it is first used: what its threads may still use was made before, and goes behind it.
  static LeftThreads& Get() {
    static LeftThreads threads;
    return threads;
  }
  ~LeftThreads() {
    for (std::thread& thread : threads_) thread.join();
  }
  void Add(std::thread thread) {
    const std::lock_guard lock(mutex_);
    threads_.push_back(std::move(thread));
  }

 private:
  std::mutex mutex_;
  std::vector<std::thread> threads_;
};

class ThreadedClient final : public EngineClient {
 public:
  explicit ThreadedClient(std::shared_ptr<EngineLoop> loop) : loop_(std::move(loop)) {
    thread_ = std::thread([loop = loop_] { loop->Run(); });
  }
  ~ThreadedClient() override {
    loop_->Stop();
    if (thread_.get_id() == std::this_thread::get_id()) {
      LeftThreads::Get().Add(std::move(thread_));
    } else {
      thread_.join();
    }
  }

  EngineFacts Facts() const override { return loop_->Facts(); }
  EngineState State() const override { return loop_->State(); }
  uint64_t Generate(GenerateRequest request, OnGenerateEvent on_event) override {
    return loop_->Generate(std::move(request), std::move(on_event));
  }
  void Cancel(uint64_t request, int32_t choice) override { loop_->Cancel(request, choice); }
  void Embed(std::vector<std::vector<int32_t>> texts, OnEmbeddings done) override {
    loop_->Embed(std::move(texts), std::move(done));
  }

 private:
  const std::shared_ptr<EngineLoop> loop_;
  std::thread thread_;
};

}  // namespace

EngineLoop::EngineLoop(EngineFacts facts, std::function<void()> after_step)
    : facts_(std::move(facts)), after_step_(std::move(after_step)) {}

void EngineLoop::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
}

std::unique_ptr<EngineClient> RunOnThread(std::shared_ptr<EngineLoop> loop) {
  return std::make_unique<ThreadedClient>(std::move(loop));
}

}  // namespace tenon::apps
