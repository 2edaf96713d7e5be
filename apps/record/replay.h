// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "apps/record/record.h"

// A recorded load, brought to an engine again.
namespace tenon::apps::record {

struct ReplayProgress {
  int64_t sent = 0;
  int64_t ended = 0;
};

struct ReplayOptions {
  // Arrivals, and cancellations before a first token, come so many times as fast as recorded;
  // infinity: all at once.
  double speed = 1;
  const volatile bool* stop = nullptr;                      // ends it: what runs is cancelled
  std::function<void(const ReplayProgress& now)> progress;  // several times a second
};

// What became of one of the requests.
struct ReplayedRequest {
  bool ended = false;                   // else it was never sent
  int64_t due_us = 0;                   // when it was to be sent, since the replay began
  int64_t sent_us = 0;                  // when it was
  std::vector<RecordedChoice> choices;  // where it ended
};

struct ReplayRun {
  std::vector<ReplayedRequest> requests;  // one each, in the order given
  double seconds = 0;
  bool stopped = false;
};

// Sends the requests when they are due. A choice that was cancelled when it had so many tokens is
// cancelled again when it has as many, so that the load is what it was. Returns when all have
// ended. REQUIRES: ascending arrivals; speed > 0. The caller's thread is the one that sends.
ReplayRun Replay(EngineClient& engine, std::span<const RecordedRequest> requests,
                 const ReplayOptions& options);

}  // namespace tenon::apps::record
