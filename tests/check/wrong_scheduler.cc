// SPDX-License-Identifier: Apache-2.0
// Schedulers with one fault each, and one without: one sequence at a time, the first to come.
#include <algorithm>

#include "tenon/plugin.h"
#include "tenon/scheduler.h"

namespace {

using namespace tenon;

enum class Fault { kNone, kStarves, kExceedsBudget, kOverdraws, kGrantsTwice, kRemembers };

template <Fault kFault>
class OneByOne final : public Component, public Scheduler {
 public:
  explicit OneByOne(const CreateArgs& args)
      : most_(static_cast<int32_t>(args.options.Int("max_batch_tokens"))) {}
  void* Query(const char* name) noexcept override { return Offer<Scheduler>(this, name); }

  Status Schedule(const SchedulerView& view, SchedulePlan* plan) noexcept override {
    plan->grant_count = plan->preempted_count = 0;
    plan->wait_us = -1;
    left_ = std::min(most_, view.max_batch_tokens);
    for (const SequenceState& s : view.running) Grant(view, s, plan);
    const bool all = kFault == Fault::kOverdraws;
    for (const SequenceState& s : view.waiting) {
      if (plan->grant_count == 0 || all) Grant(view, s, plan);
    }
    return Status::kOk;
  }

 private:
  void Grant(const SchedulerView& view, const SequenceState& s, SchedulePlan* plan) {
    if (kFault == Fault::kStarves && s.id % 5 == 3) return;
    const int32_t left = s.known_tokens - s.computed_tokens;
    int32_t tokens = std::min(left, left_);
    if (kFault == Fault::kExceedsBudget) tokens = left;
    if (kFault == Fault::kRemembers && left > 1) tokens = std::min(tokens, 1 + calls_++ % 3);
    if (tokens < 1) return;
    if (plan->grant_count >= static_cast<uint32_t>(view.max_sequences)) return;
    left_ -= tokens;
    plan->grants[plan->grant_count++] = {s.id, tokens};
    const uint64_t room = view.waiting.size + view.running.size;
    if (kFault == Fault::kGrantsTwice && plan->grant_count < room) {
      plan->grants[plan->grant_count++] = {s.id, tokens};
    }
  }

  const int32_t most_;
  int32_t left_ = 0;  // of the step's tokens
  int32_t calls_ = 0;
};

constexpr OptionInfo kOptions[] = {
    {"max_batch_tokens", OptionType::kInt, "512", "Most tokens of a step.", 1, 1 << 20},
    {"max_sequences", OptionType::kInt, "64", "Most sequences of a step.", 1, 65536}};

template <Fault kFault>
constexpr ComponentInfo Described(const char* name) {
  return Describe<OneByOne<kFault>>(Family::kScheduler, name, "One sequence after the other.", 0,
                                    Claim(Capability::kDeviceCpu), kOptions);
}

constexpr ComponentInfo kRight = Described<Fault::kNone>("acme.right");
constexpr ComponentInfo kStarves = Described<Fault::kStarves>("acme.starves");
constexpr ComponentInfo kExceeds = Described<Fault::kExceedsBudget>("acme.exceeds_budget");
constexpr ComponentInfo kOverdraws = Described<Fault::kOverdraws>("acme.overdraws_blocks");
constexpr ComponentInfo kTwice = Described<Fault::kGrantsTwice>("acme.grants_twice");
constexpr ComponentInfo kRemembers = Described<Fault::kRemembers>("acme.remembers");

}  // namespace

TENON_PLUGIN("acme.scheduler.wrong", "1.0.0", "MIT", &kRight, &kStarves, &kExceeds, &kOverdraws,
             &kTwice, &kRemembers);
