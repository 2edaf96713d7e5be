// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include "apps/trial/traffic.h"

namespace tenon::apps::trial {
namespace {

using core::FinishReason;

// Its events come one at a time, and none of B's is handed on once A has taken it over.
class SplitRequest final : public OpenRequest, public std::enable_shared_from_this<SplitRequest> {
 public:
  SplitRequest(std::shared_ptr<Traffic> traffic, bool counted, GenerateRequest request,
               OnGenerateEvent on_event)
      : traffic_(std::move(traffic)),
        counted_(counted),
        request_(std::move(request)),
        on_event_(std::move(on_event)) {}

  uint64_t Begin(Arm arm) {
    const uint64_t number = traffic_->Add(shared_from_this());
    {
      const std::lock_guard lock(mutex_);
      number_ = number;
    }
    Launch(arm);
    return number;
  }

  void Cancel(int32_t choice) override {
    std::shared_ptr<ArmRun> run;
    {
      const std::lock_guard lock(mutex_);
      cancelled_.push_back(choice);
      run = run_;
    }
    if (run != nullptr) run->Cancel(choice);
  }

  // A takes over what B has not begun to answer.
  void Settle(Arm arm) override {
    if (arm == Arm::kB) return;
    std::shared_ptr<ArmRun> run;
    {
      const std::lock_guard lock(mutex_);
      if (arm_ != Arm::kB || begun_ || run_ == nullptr) return;
      run = std::exchange(run_, nullptr);
    }
    Count(Arm::kB, {.end = RunEnd::kCancelled, .error = {}});
    run->Cancel(-1);
    Launch(Arm::kA);
  }

 private:
  void Launch(Arm arm) {
    GenerateRequest request;
    std::vector<int32_t> cancelled;
    auto run = std::make_shared<ArmRun>(traffic_->engine(arm), traffic_->clock, request_.n);
    {
      const std::lock_guard lock(mutex_);
      arm_ = arm;
      run_ = run;
      cancelled = cancelled_;
      if (arm == Arm::kA) {
        request = std::move(request_);
      } else {
        request = request_;
      }
    }
    if (counted_) traffic_->statistics->Begin(arm);
    for (const int32_t choice : cancelled) run->Cancel(choice);
    run->Start(std::move(request), [self = shared_from_this(), run](GenerateEvent event) {
      self->Hear(run, std::move(event));
    });
  }

  void Hear(const std::shared_ptr<ArmRun>& run, GenerateEvent event) {
    bool again = false;
    {
      const std::lock_guard lock(mutex_);
      if (run_ != run) return;
      again =
          arm_ == Arm::kB && !begun_ && event.finish == FinishReason::kError && !traffic_->promoted;
      if (again) {
        run_ = nullptr;
      } else if (!std::exchange(begun_, true)) {
        request_ = {};
      }
    }
    const bool last = run->Note(event);
    if (again) {
      Count(Arm::kB, run->Record());
      return Launch(Arm::kA);
    }
    on_event_(std::move(event));
    if (!last) return;
    Count(arm_, run->Record());
    traffic_->Remove(number_);
  }

  void Count(Arm arm, const RunRecord& record) {
    if (counted_) traffic_->statistics->End(arm, record);
  }

  const std::shared_ptr<Traffic> traffic_;
  const bool counted_;
  std::mutex mutex_;
  GenerateRequest request_;  // until somebody began to answer
  const OnGenerateEvent on_event_;
  uint64_t number_ = 0;
  Arm arm_ = Arm::kA;
  std::shared_ptr<ArmRun> run_;  // whose events are handed on
  bool begun_ = false;           // one was
  std::vector<int32_t> cancelled_;
};

}  // namespace

uint64_t StartOnOneArm(const std::shared_ptr<Traffic>& traffic, Arm arm, bool counted,
                       GenerateRequest request, OnGenerateEvent on_event) {
  return std::make_shared<SplitRequest>(traffic, counted, std::move(request), std::move(on_event))
      ->Begin(arm);
}

}  // namespace tenon::apps::trial
