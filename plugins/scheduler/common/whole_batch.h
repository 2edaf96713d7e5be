// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "plugins/scheduler/common/step_planner.h"

namespace tenon::scheduler {

// The waiting sequences that can run as one batch: the highest priority and the earliest arrived
// first, as many as places and blocks for all their known tokens allow.
struct WholeBatch {
  int32_t members = 0;
  bool full = false;              // places or blocks end before the waiting sequences do
  int64_t oldest_arrival_us = 0;  // of the members; 0 where there are none
};

// Admits who waited too long (AdmitLongWaiting) as the first of the next batch. REQUIRES:
// planner.batch_empty() and nothing granted.
void AdmitAged(const SchedulerView& view, StepPlanner& planner);

// REQUIRES: nothing runs, and nothing but AdmitAged granted.
WholeBatch SelectBatch(const SchedulerView& view, const StepPlanner& planner);

// Admits the `batch` that SelectBatch found. Every member gets at least one token, since only a
// grant admits; the earlier ones get their prompt first.
void AdmitBatch(const SchedulerView& view, const WholeBatch& batch, StepPlanner& planner);

// One step of those that run: decodes, then prompts, then drafts. Who waited too long joins them.
void RunBatch(const SchedulerView& view, StepPlanner& planner);

}  // namespace tenon::scheduler
