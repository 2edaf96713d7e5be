// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "tenon/scheduler.h"

namespace tenon::scheduler {

// Visits sequences from the highest priority down, within one priority in the order of the list.
// Allocates nothing; costs one pass over the list for each distinct priority reached.
class PriorityOrder {
 public:
  explicit PriorityOrder(Span<const SequenceState> sequences) : sequences_(sequences) {
    for (const SequenceState& s : sequences) Offer(s.priority);
    Descend();
  }

  // The next sequence, or null at the end.
  const SequenceState* Next() {
    while (level_found_) {
      while (at_ < sequences_.size) {
        const SequenceState& s = sequences_[at_++];
        if (s.priority == level_) return &s;
        if (s.priority < level_) Offer(s.priority);
      }
      Descend();
    }
    return nullptr;
  }

 private:
  void Offer(int32_t priority) {
    if (!lower_found_ || priority > lower_) lower_ = priority;
    lower_found_ = true;
  }

  void Descend() {
    level_ = lower_;
    level_found_ = lower_found_;
    lower_found_ = false;
    at_ = 0;
  }

  Span<const SequenceState> sequences_;
  uint64_t at_ = 0;
  int32_t level_ = 0;
  bool level_found_ = false;
  int32_t lower_ = 0;  // the highest priority below level_ seen in this pass
  bool lower_found_ = false;
};

}  // namespace tenon::scheduler
