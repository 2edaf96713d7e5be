// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "apps/engine/engine_client.h"
#include "core/engine/engine.h"

namespace tenon::apps {

// Steps an engine on a thread of its own while requests are there, and sleeps otherwise. A step's
// events reach their requests grouped by choice when the step is done, so that a listener costs the
// step nothing. Ending it cancels what runs.
class GenerationClient final : public EngineClient {
 public:
  // The engine outlives it and is touched by nothing else. `after_step`, if any, is called on the
  // client's thread behind the last event of each step.
  GenerationClient(core::Engine& engine, EngineFacts facts, std::function<void()> after_step);
  ~GenerationClient() override;

  EngineFacts Facts() const override { return facts_; }
  EngineState State() const override;
  uint64_t Generate(GenerateRequest request, OnGenerateEvent on_event) override;
  void Cancel(uint64_t request, int32_t choice) override;
  // Answers with kUnsupported.
  void Embed(std::vector<std::vector<int32_t>> texts, OnEmbeddings done) override;

 private:
  using Clock = std::chrono::steady_clock;

  // A request that has not ended. But for engine_id the engine's thread alone reads and writes it.
  struct Open {
    uint64_t id = 0;
    uint64_t engine_id = 0;
    int32_t choices = 1;
    OnGenerateEvent on_event;
    std::vector<GenerateEvent> news;  // of this step, one a choice
    std::vector<bool> began;          // by choice
    std::vector<bool> ended;
  };
  using Shared = std::shared_ptr<Open>;

  Result<core::Request> RequestOf(GenerateRequest request) const;
  void Loop();
  void Hear(const Shared& open, const core::TokenEvent& event);
  static bool AllEnded(const Open& open);
  void Settle();
  void Deliver();
  void Publish();

  core::Engine& engine_;
  const EngineFacts facts_;
  const std::function<void()> after_step_;

  std::vector<Shared> heard_;   // have news; the engine's thread
  std::vector<Shared> failed_;  // refused, told by the engine's thread; under mutex_

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<uint64_t, Shared> open_;
  bool work_ = false;  // something came since the last step began
  bool stop_ = false;
  uint64_t next_ = 1;
  EngineState state_;
  Clock::time_point last_step_ = Clock::now();
  std::thread thread_;  // last: sees all of the above
};

}  // namespace tenon::apps
