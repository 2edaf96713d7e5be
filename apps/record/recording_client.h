// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <mutex>

#include "apps/record/observation.h"

namespace tenon::apps::record {

// Where requests go when they have ended. Thread: any; must not block.
class RequestSink {
 public:
  virtual ~RequestSink() = default;
  virtual void Keep(RecordedRequest request) = 0;
};

// An engine whose requests, and what it says to them, are kept. Embeddings are not. Thread: any.
class RecordingClient final : public EngineClient {
 public:
  // `sink` outlives it and its requests. `began`: what arrivals count from. `number`: what the
  // sink calls the engine.
  RecordingClient(std::shared_ptr<EngineClient> engine, RequestSink& sink, Clock::time_point began,
                  int32_t number);

  EngineFacts Facts() const override { return engine_->Facts(); }
  EngineState State() const override { return engine_->State(); }
  uint64_t Generate(GenerateRequest request, OnGenerateEvent on_event) override;
  void Cancel(uint64_t request, int32_t choice) override;
  void Embed(std::vector<std::vector<int32_t>> texts, OnEmbeddings done) override;

 private:
  struct Open;
  struct Running;

  const std::shared_ptr<Running> running_;  // what events need, also after the client's end
  const Clock::time_point began_;
  const int32_t number_;
  const std::shared_ptr<EngineClient> engine_;
};

}  // namespace tenon::apps::record
