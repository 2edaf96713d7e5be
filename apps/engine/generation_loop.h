// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "apps/engine/engine_loop.h"
#include "core/engine/engine.h"

namespace tenon::apps {

// Steps an engine while requests are there, and sleeps otherwise. A step's events reach their
// requests grouped by choice when the step is done, so that a listener costs the step nothing.
// Stopping it cancels what runs.
class GenerationLoop final : public EngineLoop {
 public:
  // The engine is touched by nothing else.
  GenerationLoop(std::shared_ptr<core::Engine> engine, EngineFacts facts,
                 std::function<void()> after_step);

  EngineState State() const override;
  uint64_t Generate(GenerateRequest request, OnGenerateEvent on_event) override;
  void Cancel(uint64_t request, int32_t choice) override;
  // Answers with kUnsupported.
  void Embed(std::vector<std::vector<int32_t>> texts, OnEmbeddings done) override;
  void Run() override;

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
  void Hear(const Shared& open, const core::TokenEvent& event);
  static bool AllEnded(const Open& open);
  void Settle();
  void Deliver();
  void Publish();

  const std::shared_ptr<core::Engine> engine_;

  std::vector<Shared> heard_;   // have news; the engine's thread
  std::vector<Shared> failed_;  // refused, told by the engine's thread; under mutex_

  std::map<uint64_t, Shared> open_;
  bool work_ = false;  // something came since the last step began
  uint64_t next_ = 1;
  EngineState state_;
  Clock::time_point last_step_ = Clock::now();
};

}  // namespace tenon::apps
