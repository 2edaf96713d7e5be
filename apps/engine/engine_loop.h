// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>

#include "apps/engine/engine_client.h"

namespace tenon::apps {

// An engine that one thread drives: it answers what other threads ask of it.
class EngineLoop : public EngineClient {
 public:
  // `after_step`, if any, is called on the thread of Run behind the last event of each step.
  EngineLoop(EngineFacts facts, std::function<void()> after_step);

  EngineFacts Facts() const override { return facts_; }

  // Drives the engine until Stop, and ends what is open then. Once.
  virtual void Run() = 0;
  void Stop();

 protected:
  const EngineFacts facts_;
  const std::function<void()> after_step_;

  mutable std::mutex mutex_;  // for all that several threads touch
  std::condition_variable changed_;
  bool stop_ = false;
};

// The loop on a thread of its own. Any thread may end the client, one of its events' too: another
// thread waits until no event comes any more; on its own thread that cannot be, so what is open
// ends behind the event, and the loop, with all that it holds, behind that. The process's end waits
// for such threads.
std::unique_ptr<EngineClient> RunOnThread(std::shared_ptr<EngineLoop> loop);

}  // namespace tenon::apps
