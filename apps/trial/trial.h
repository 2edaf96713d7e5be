// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "apps/trial/trial_judge.h"
#include "apps/trial/trial_statistics.h"
#include "tenon/result.h"

namespace tenon::apps::trial {

struct TrialOptions {
  double share = 1;          // of the requests that B gets, 0 to 1
  bool shadow = false;       // they run on A too, and B's output is thrown away
  int32_t max_shadows = 16;  // open at a time; beyond, requests are not shadowed
  TrialLimits limits;
};

enum class TrialPhase : uint8_t { kLoading, kRunning, kPromoted, kRolledBack };

struct TrialReport {
  std::string pipeline_a, pipeline_b;  // files, as given
  TrialOptions options;
  TrialPhase phase = TrialPhase::kLoading;
  std::string reason;  // why it ended
  double seconds = 0;  // it ran so far, or until its end
  Summary summary;     // intervals of 95 %
};

// A comparison in a server that runs. Thread: any.
class Trial {
 public:
  virtual ~Trial() = default;

  // Takes about a tenth of a second.
  virtual TrialReport Report() const = 0;
  virtual TrialPhase Phase() const = 0;

  // B takes A's place, or goes; requests that run finish where they are. Done already: nothing
  // happens. kInvalid: B does not serve yet, takes no requests now, or it ended the other way;
  // kCancelled: the server stops.
  virtual Result<void> Promote() = 0;
  virtual Result<void> RollBack() = 0;
};

// `report` as JSON: what GET /admin/compare answers. What no sample says is null.
std::string TrialJson(const TrialReport& report);
const char* Name(TrialPhase phase);

}  // namespace tenon::apps::trial
