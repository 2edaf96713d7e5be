// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

#include "tenon/component.h"
#include "tenon/scheduler.h"

namespace tenon::scheduler {

// The two options that every scheduler takes.
inline constexpr OptionInfo kMaxBatchTokens = {
    .name = "max_batch_tokens",
    .type = OptionType::kInt,
    .default_text = "512",
    .doc = "Most tokens of one step; the Program's buffers are as large.",
    .minimum = 1,
    .maximum = 1 << 20,
    .unit = "tokens"};
inline constexpr OptionInfo kMaxSequences = {.name = "max_sequences",
                                             .type = OptionType::kInt,
                                             .default_text = "64",
                                             .doc = "Most sequences that run at the same time.",
                                             .minimum = 1,
                                             .maximum = 65536,
                                             .unit = "sequences"};

// What a step may hold at most: the smaller of the view's limits and the component's options.
struct Limits {
  int32_t batch_tokens;
  int32_t sequences;

  static Limits From(const Options& options) {
    return {static_cast<int32_t>(options.Int("max_batch_tokens")),
            static_cast<int32_t>(options.Int("max_sequences"))};
  }

  Limits Within(const SchedulerView& view) const {
    return {std::min(batch_tokens, view.max_batch_tokens), std::min(sequences, view.max_sequences)};
  }
};

// kOk, or the host's Fail where the view has numbers that no plan can be made of.
inline Status CheckView(const SchedulerView& view, Host& host) {
  if (view.block_tokens < 1) return host.Fail(Status::kInvalid, "block_tokens must be 1 or more");
  if (view.max_batch_tokens < 1 || view.max_sequences < 1) {
    return host.Fail(Status::kInvalid, "max_batch_tokens and max_sequences must be 1 or more");
  }
  if (view.free_blocks < 0 || view.free_blocks > view.total_blocks) {
    return host.Fail(Status::kInvalid, "free_blocks must be from 0 to total_blocks");
  }
  return Status::kOk;
}

}  // namespace tenon::scheduler
