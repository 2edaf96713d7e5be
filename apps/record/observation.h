// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>

#include "apps/record/record.h"

namespace tenon::apps::record {

using Clock = std::chrono::steady_clock;

// Microseconds from one to the other.
int64_t MicrosecondsBetween(Clock::time_point from, Clock::time_point to);

// Gathers what an engine says to one request. Thread: whoever brings its events, one at a time.
class Observation {
 public:
  // Of a request that arrives now.
  Observation(const GenerateRequest& request, Clock::time_point began);

  // The next event; true when it was the request's last.
  bool Hear(const GenerateEvent& event);

  Clock::time_point arrival() const { return arrival_; }
  RecordedRequest& record() { return record_; }

 private:
  RecordedRequest record_;
  const Clock::time_point arrival_ = Clock::now();
  std::vector<bool> ended_;
  size_t open_;
};

}  // namespace tenon::apps::record
