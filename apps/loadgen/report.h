// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <set>
#include <string>
#include <vector>

#include "apps/loadgen/metrics.h"

namespace tenon::apps {

// What a run was asked to do, for its reports.
struct LoadSetting {
  std::string url, endpoint, model, dataset;
  int64_t prompts = 0;
  double request_rate = 0;  // infinite: all at once
  double burstiness = 1;
  int64_t max_concurrency = 0;  // 0: no bound
  uint64_t seed = 0;
  Goals goals;
  std::set<std::string> shown;  // of ttft, tpot, itl, e2el: with percentiles
};

// Tables for people.
std::string LoadText(const LoadSetting& setting, const LoadMetrics& metrics);

// One JSON document with the members of vLLM's result files, and more. `detail`: each request's
// lengths and times too; null: none.
std::string LoadJson(const LoadSetting& setting, const LoadMetrics& metrics,
                     const std::vector<LoadResult>* detail);

// A page that stands alone: tables, how each time is distributed, the run second by second.
std::string LoadHtml(const LoadSetting& setting, const LoadMetrics& metrics);

}  // namespace tenon::apps
