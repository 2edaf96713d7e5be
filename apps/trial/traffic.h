// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "apps/engine/engine_client.h"
#include "apps/trial/arm_run.h"
#include "apps/trial/trial_statistics.h"

namespace tenon::apps::trial {

// A request on its way through a trial. Thread: any.
class OpenRequest {
 public:
  virtual ~OpenRequest() = default;
  virtual void Cancel(int32_t choice) = 0;
  // All traffic goes to `arm` from now on: what only the trial wanted ends.
  virtual void Settle(Arm arm) = 0;
};

// What all requests of a trial share. Thread: any.
struct Traffic {
  std::shared_ptr<EngineClient> engines[2];  // by Arm
  std::shared_ptr<TrialStatistics> statistics;
  Clock clock;
  std::atomic<int32_t> open_shadows = 0;
  std::atomic<bool> promoted = false;  // A answers nothing any more

  const std::shared_ptr<EngineClient>& engine(Arm arm) const {
    return engines[static_cast<size_t>(arm)];
  }
  uint64_t Add(std::shared_ptr<OpenRequest> request);
  void Remove(uint64_t number);
  std::shared_ptr<OpenRequest> Find(uint64_t number) const;
  std::vector<std::shared_ptr<OpenRequest>> All() const;

 private:
  mutable std::mutex mutex_;
  uint64_t next_ = 1;
  std::map<uint64_t, std::shared_ptr<OpenRequest>> open_;
};

// Starts a request on one arm, and returns its number. What B cannot answer, and has not begun to,
// A does. `counted`: in the statistics.
uint64_t StartOnOneArm(const std::shared_ptr<Traffic>& traffic, Arm arm, bool counted,
                       GenerateRequest request, OnGenerateEvent on_event);

// Starts it on A, which answers, and on B, which nobody hears.
uint64_t StartOnBothArms(const std::shared_ptr<Traffic>& traffic, GenerateRequest request,
                         OnGenerateEvent on_event);

}  // namespace tenon::apps::trial
