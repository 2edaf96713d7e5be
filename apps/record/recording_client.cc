// SPDX-License-Identifier: Apache-2.0
#include "apps/record/recording_client.h"

#include <optional>
#include <utility>

namespace tenon::apps::record {

// A request on its way. Its events alone touch the observation; the rest is under Running::mutex.
struct RecordingClient::Open {
  Open(const GenerateRequest& request, Clock::time_point began) : observation(request, began) {}

  Observation observation;
  std::optional<uint64_t> number;  // the engine's, once it said so
  int64_t cancel_us = -1;
  bool ended = false;
};

struct RecordingClient::Running {
  explicit Running(RequestSink& to) : sink(to) {}

  void End(Open& open) {
    RecordedRequest& record = open.observation.record();
    {
      const std::lock_guard lock(mutex);
      open.ended = true;
      if (open.number) by_number.erase(*open.number);
      record.cancel_us = open.cancel_us;
    }
    sink.Keep(std::move(record));
  }

  RequestSink& sink;
  std::mutex mutex;
  std::map<uint64_t, std::shared_ptr<Open>> by_number;
};

RecordingClient::RecordingClient(std::shared_ptr<EngineClient> engine, RequestSink& sink,
                                 Clock::time_point began, int32_t number)
    : running_(std::make_shared<Running>(sink)),
      began_(began),
      number_(number),
      engine_(std::move(engine)) {}

uint64_t RecordingClient::Generate(GenerateRequest request, OnGenerateEvent on_event) {
  const auto open = std::make_shared<Open>(request, began_);
  open->observation.record().engine = number_;
  const uint64_t number = engine_->Generate(
      std::move(request),
      [open, running = running_, on_event = std::move(on_event)](GenerateEvent event) {
        if (open->observation.Hear(event)) running->End(*open);
        on_event(std::move(event));
      });
  const std::lock_guard lock(running_->mutex);
  open->number = number;
  if (!open->ended) running_->by_number.insert_or_assign(number, open);
  return number;
}

void RecordingClient::Cancel(uint64_t request, int32_t choice) {
  if (choice < 0) {
    const std::lock_guard lock(running_->mutex);
    const auto found = running_->by_number.find(request);
    if (found != running_->by_number.end() && found->second->cancel_us < 0) {
      found->second->cancel_us =
          MicrosecondsBetween(found->second->observation.arrival(), Clock::now());
    }
  }
  engine_->Cancel(request, choice);
}

void RecordingClient::Embed(std::vector<std::vector<int32_t>> texts, OnEmbeddings done) {
  engine_->Embed(std::move(texts), std::move(done));
}

}  // namespace tenon::apps::record
