// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <utility>

#include "apps/trial/outputs.h"
#include "apps/trial/traffic.h"

namespace tenon::apps::trial {
namespace {

using core::FinishReason;

class ShadowedRequest final : public OpenRequest,
                              public std::enable_shared_from_this<ShadowedRequest> {
 public:
  ShadowedRequest(std::shared_ptr<Traffic> traffic, const GenerateRequest& request,
                  OnGenerateEvent on_event)
      : traffic_(std::move(traffic)), on_event_(std::move(on_event)) {
    for (const Arm arm : {Arm::kA, Arm::kB}) {
      Side& side = Of(arm);
      side.run = std::make_shared<ArmRun>(traffic_->engine(arm), traffic_->clock, request.n);
      side.outputs.resize(static_cast<size_t>(std::max(request.n, 1)));
    }
  }
  ~ShadowedRequest() override { --traffic_->open_shadows; }

  uint64_t Begin(GenerateRequest request) {
    const uint64_t number = number_ = traffic_->Add(shared_from_this());
    GenerateRequest copy = request;
    Launch(Arm::kA, std::move(request));
    Launch(Arm::kB, std::move(copy));
    return number;
  }

  void Cancel(int32_t choice) override {
    {
      // Who has got all of A's answer and leaves ends nothing.
      const std::lock_guard lock(mutex_);
      if (Of(Arm::kA).ended) return;
    }
    Of(Arm::kA).run->Cancel(choice);
    // Of a choice that A alone was told to end B is to say as much as A did.
    if (choice < 0) Of(Arm::kB).run->Cancel(-1);
  }

  void Settle(Arm) override { Of(Arm::kB).run->Cancel(-1); }

 private:
  struct Side {
    std::shared_ptr<ArmRun> run;
    std::vector<Output> outputs;  // by choice
    bool ended = false;
  };

  Side& Of(Arm arm) { return sides_[static_cast<size_t>(arm)]; }

  void Launch(Arm arm, GenerateRequest request) {
    traffic_->statistics->Begin(arm);
    Of(arm).run->Start(std::move(request), [self = shared_from_this(), arm](GenerateEvent event) {
      self->Hear(arm, std::move(event));
    });
  }

  void Hear(Arm arm, GenerateEvent event) {
    Side& side = Of(arm);
    const bool last = side.run->Note(event);
    if (last) traffic_->statistics->End(arm, side.run->Record());
    const bool both = Keep(arm, event, last);
    for (const int32_t choice : Enough()) Of(Arm::kB).run->Cancel(choice);
    if (arm == Arm::kA) {
      on_event_(std::move(event));
      // What it holds need not wait for B.
      if (last) on_event_ = nullptr;
    }
    if (!both) return;
    Compare();
    traffic_->Remove(number_);
  }

  // Whether both arms are through.
  bool Keep(Arm arm, const GenerateEvent& event, bool last) {
    const std::lock_guard lock(mutex_);
    Side& side = Of(arm);
    side.ended = side.ended || last;
    const auto choice = static_cast<size_t>(event.choice);
    if (choice < side.outputs.size()) {
      Output& output = side.outputs[choice];
      for (const GeneratedToken& token : event.tokens) output.tokens.push_back(token.id);
      output.finish = event.finish;
    }
    return last && Of(Arm::kA).ended && Of(Arm::kB).ended;
  }

  // Choices of B that said as much as A did before it was cut short.
  std::vector<int32_t> Enough() {
    std::vector<int32_t> enough;
    const std::lock_guard lock(mutex_);
    const std::vector<Output>&a = Of(Arm::kA).outputs, &b = Of(Arm::kB).outputs;
    for (size_t i = 0; i < a.size(); ++i) {
      if (a[i].finish == FinishReason::kCancelled && b[i].finish == FinishReason::kNone &&
          b[i].tokens.size() >= a[i].tokens.size()) {
        enough.push_back(static_cast<int32_t>(i));
      }
    }
    return enough;
  }

  void Compare() {
    const RunRecord a = Of(Arm::kA).run->Record(), b = Of(Arm::kB).run->Record();
    if (a.end != RunEnd::kDone || b.end != RunEnd::kDone) return;
    traffic_->statistics->Compare(a, b, FirstDifference(Of(Arm::kA).outputs, Of(Arm::kB).outputs));
  }

  const std::shared_ptr<Traffic> traffic_;
  OnGenerateEvent on_event_;  // of A's events' thread; empty behind the last
  uint64_t number_ = 0;
  std::mutex mutex_;
  std::array<Side, 2> sides_;  // by Arm
};

}  // namespace

uint64_t StartOnBothArms(const std::shared_ptr<Traffic>& traffic, GenerateRequest request,
                         OnGenerateEvent on_event) {
  return std::make_shared<ShadowedRequest>(traffic, request, std::move(on_event))
      ->Begin(std::move(request));
}

}  // namespace tenon::apps::trial
