// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "apps/loadgen/request.h"

// What a run comes to. Formulas are those of vLLM's `bench serve`.
namespace tenon::apps {

// The p-th percentile (0 to 100) of ascending values, interpolated linearly between neighbours;
// 0 for none.
double PercentileOf(const std::vector<double>& ascending, double p);

struct Distribution {
  std::vector<double> values;  // ascending, milliseconds
  double mean = 0, median = 0, deviation = 0;
  std::vector<std::pair<double, double>> percentiles;  // which, and its value
};
Distribution DistributionOf(std::vector<double> values, const std::vector<double>& percentiles);

// Milliseconds that a request may take to count as good.
struct Goals {
  std::optional<double> ttft, tpot, e2el;
  bool Any() const { return ttft || tpot || e2el; }
};

struct ErrorCount {
  int64_t count = 0;
  std::string example;  // the first one's message
};

// One second of the run.
struct Second {
  double output_tokens = 0;
  double running = 0;  // mean number of requests under way
};

struct LoadMetrics {
  double duration_s = 0;
  int64_t completed = 0, failed = 0, interrupted = 0, unsent = 0;
  int64_t total_input = 0, total_output = 0, total_cached = 0;  // of completed requests
  double request_throughput = 0;                                // a second, as all that follow
  std::optional<double> request_goodput;
  double output_throughput = 0, total_token_throughput = 0;
  double max_output_tokens_per_s = 0;   // of the best second
  int64_t max_concurrent_requests = 0;  // whatever became of them
  Distribution ttft, tpot, itl, e2el, waited;
  std::map<std::string, ErrorCount> errors;
  std::vector<Second> seconds;
};

LoadMetrics Measure(const std::vector<LoadResult>& results, double duration_s, const Goals& goals,
                    const std::vector<double>& percentiles);

}  // namespace tenon::apps
