// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "apps/engine/engine_client.h"
#include "apps/trial/trial_statistics.h"

namespace tenon::apps::trial {

// Seconds since some moment; never goes back. Thread: any.
using Clock = std::function<double()>;

// One request on one arm: keeps its times, and ends it whenever that is asked for.
class ArmRun {
 public:
  // `clock` outlives it.
  ArmRun(std::shared_ptr<EngineClient> engine, const Clock& clock, int32_t choices);

  // Once. `on_event` hears the engine's events; Note has to be called with each, first.
  void Start(GenerateRequest request, OnGenerateEvent on_event);
  // At any time, from any thread; as EngineClient's.
  void Cancel(int32_t choice);

  // Of the thread that tells the events. Whether it was the last one.
  bool Note(const GenerateEvent& event);
  // Behind the last event.
  RunRecord Record() const;

 private:
  void NoteTokens(const GenerateEvent& event);
  void NoteEnd(const GenerateEvent& event);

  const std::shared_ptr<EngineClient> engine_;
  const Clock& clock_;
  double started_ = 0;

  std::mutex mutex_;
  std::optional<uint64_t> number_;  // the engine's, which it may say only behind the first events
  std::vector<int32_t> cancelled_;  // choices, -1: all

  // The events' thread's.
  bool began_ = false;
  int32_t left_;
  double first_ = -1, last_ = -1;  // when tokens came
  std::vector<int64_t> tokens_;    // by choice
  RunRecord record_;
};

}  // namespace tenon::apps::trial
