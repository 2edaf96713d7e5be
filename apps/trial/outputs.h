// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "core/engine/request.h"

namespace tenon::apps::trial {

// What an arm said in one choice of a request.
struct Output {
  std::vector<int32_t> tokens;
  core::FinishReason finish = core::FinishReason::kNone;
};

// The index of the first token at which one of B's choices differs from A's; -1: none does. Where A
// was cut short (kCancelled), B's tokens behind that do not count.
int64_t FirstDifference(const std::vector<Output>& a, const std::vector<Output>& b);

}  // namespace tenon::apps::trial
