// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "apps/loadgen/fetch.h"
#include "apps/loadgen/request.h"

namespace tenon::apps {

struct LoadOptions {
  LoadTarget target;
  std::string path = "/v1/completions";
  std::vector<double> arrivals;  // when each request is sent, seconds; ascending
  int64_t max_concurrency = 0;   // requests under way at most; 0: no bound
  double timeout_s = 600;        // of one request
};

struct LoadProgress {
  int64_t completed = 0, failed = 0, running = 0;
  int64_t chunks = 0;  // with output
  double seconds = 0;
};

struct LoadRun {
  std::vector<LoadResult> results;  // by request
  double duration_s = 0;            // from the first request to the last answer
  bool interrupted = false;
};

// Sends each request at its time and streams its answer; one thread carries all. Connections are
// kept and used again. Ends early when `stop` becomes true: requests under way are dropped and
// count as interrupted. `progress` is called some times a second; may be empty. kIo where the host
// has no address. REQUIRES: options.arrivals.size() == requests.size().
Result<LoadRun> RunLoad(const LoadOptions& options, const std::vector<LoadRequest>& requests,
                        const volatile bool* stop,
                        const std::function<void(const LoadProgress&)>& progress);

}  // namespace tenon::apps
