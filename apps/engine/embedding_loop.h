// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "apps/engine/engine_loop.h"
#include "core/engine/embedder.h"

namespace tenon::apps {

// Embeds texts; those of several calls share steps. Stopping it fails what waits with kCancelled.
class EmbeddingLoop final : public EngineLoop {
 public:
  // The embedder is touched by nothing else.
  EmbeddingLoop(std::shared_ptr<core::Embedder> embedder, EngineFacts facts,
                std::function<void()> after_step);

  EngineState State() const override;
  // Answers with an event of kUnsupported.
  uint64_t Generate(GenerateRequest request, OnGenerateEvent on_event) override;
  void Cancel(uint64_t, int32_t) override {}
  void Embed(std::vector<std::vector<int32_t>> texts, OnEmbeddings done) override;
  void Run() override;

 private:
  using Clock = std::chrono::steady_clock;

  struct Call {
    std::vector<std::vector<int32_t>> texts;
    std::vector<std::vector<float>> vectors;  // of the first texts
    OnEmbeddings done;
  };

  Result<void> Check(const std::vector<std::vector<int32_t>>& texts) const;
  void EmbedSome(std::deque<Call>& calls);
  void Publish(size_t texts, int64_t tokens);

  const std::shared_ptr<core::Embedder> embedder_;
  std::deque<Call> arrived_;
  int32_t open_texts_ = 0;
  EngineState state_;
  Clock::time_point last_step_ = Clock::now();
};

}  // namespace tenon::apps
