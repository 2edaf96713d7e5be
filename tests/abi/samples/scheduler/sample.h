// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tenon/component.h"
#include "tenon/scheduler.h"

namespace first {

// First come, first served, with prompts in chunks: every running sequence that decodes gets its
// token, then prompts share the rest of the step in the order of their arrival. Where KV blocks run
// out, the sequence admitted last is sent back to wait. Priorities and drafts are left alone.
class Sample final : public tenon::Component, public tenon::Scheduler {
 public:
  // The host reads these two of every scheduler.
  static constexpr tenon::OptionInfo kOptions[] = {
      {"max_batch_tokens", tenon::OptionType::kInt, "512",
       "Most tokens of one step; the Program's buffers are as large.", 1, 1 << 20, "", "tokens"},
      {"max_sequences", tenon::OptionType::kInt, "64", "Most sequences that run at the same time.",
       1, 65536, "", "sequences"},
  };

  explicit Sample(const tenon::CreateArgs& args)
      : max_batch_tokens_(static_cast<int32_t>(args.options.Int("max_batch_tokens"))),
        max_sequences_(static_cast<int32_t>(args.options.Int("max_sequences"))) {}

  void* Query(const char* name) noexcept override {
    return tenon::Offer<tenon::Scheduler>(this, name);
  }
  tenon::Status Schedule(const tenon::SchedulerView& view,
                         tenon::SchedulePlan* plan) noexcept override;

 private:
  const int32_t max_batch_tokens_;
  const int32_t max_sequences_;
};

}  // namespace first
