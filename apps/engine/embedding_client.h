// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "apps/engine/engine_client.h"
#include "core/engine/embedder.h"

namespace tenon::apps {

// Embeds on a thread of its own; texts of several calls share steps. Ending it fails what waits
// with kCancelled.
class EmbeddingClient final : public EngineClient {
 public:
  // The embedder outlives it and is touched by nothing else. `after_step` as GenerationClient's.
  EmbeddingClient(core::Embedder& embedder, EngineFacts facts, std::function<void()> after_step);
  ~EmbeddingClient() override;

  EngineFacts Facts() const override { return facts_; }
  EngineState State() const override;
  // Answers with an event of kUnsupported.
  uint64_t Generate(GenerateRequest request, OnGenerateEvent on_event) override;
  void Cancel(uint64_t, int32_t) override {}
  void Embed(std::vector<std::vector<int32_t>> texts, OnEmbeddings done) override;

 private:
  using Clock = std::chrono::steady_clock;

  struct Call {
    std::vector<std::vector<int32_t>> texts;
    std::vector<std::vector<float>> vectors;  // of the first texts
    OnEmbeddings done;
  };

  Result<void> Check(const std::vector<std::vector<int32_t>>& texts) const;
  void Loop();
  void EmbedSome(std::deque<Call>& calls);
  void Publish(size_t texts, int64_t tokens);

  core::Embedder& embedder_;
  const EngineFacts facts_;
  const std::function<void()> after_step_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Call> arrived_;
  int32_t open_texts_ = 0;
  bool stop_ = false;
  EngineState state_;
  Clock::time_point last_step_ = Clock::now();
  std::thread thread_;  // last: sees all of the above
};

}  // namespace tenon::apps
