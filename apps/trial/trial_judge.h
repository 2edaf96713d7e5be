// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "apps/trial/trial_statistics.h"

namespace tenon::apps::trial {

// What B may do before it is rolled back.
struct TrialLimits {
  int64_t max_errors = 0;     // failures of its own; a request's faults are none
  int64_t min_requests = 50;  // done by each arm before the limits below are looked at
  // B's mean time over A's less 1, such as 0.5; absent: any.
  std::optional<double> max_ttft_increase;
  std::optional<double> max_tpot_increase;
  std::optional<double>
      min_identical;  // share of identical outputs, where both arms run; absent: any
};

// Keeps B or rolls it back. Times and shares are looked at when there are `min_requests`, and then
// each time these have grown by half; a limit counts as broken where the whole interval lies beyond
// it. The intervals of look k leave out 5 % · 6 / (π² k²), so that all looks of a trial together
// find a B that is within a limit beyond it in at most 2.5 % of trials. Thread: one.
class TrialJudge {
 public:
  explicit TrialJudge(const TrialLimits& limits) : limits_(limits) {}

  // Why B's errors are too many; empty: they are not.
  std::string JudgeErrors(const ArmCounts& b) const;

  // Whether to look now, with `samples` as TrialStatistics::Samples; if so, Sum(Alpha()) is what
  // Judge wants, once.
  bool Due(int64_t samples) const;
  double Alpha() const;
  // The look: why B is to be rolled back; empty: it is kept.
  std::string Judge(const Summary& summary);

 private:
  const TrialLimits limits_;
  int looks_ = 0;
  double next_ = 0;  // samples; 0: limits_.min_requests
};

}  // namespace tenon::apps::trial
