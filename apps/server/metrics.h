// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <map>
#include <mutex>
#include <string>

#include "apps/openai/api.h"
#include "apps/server/front.h"
#include "apps/server/metrics_text.h"

namespace tenon::apps::server {

// What GET /metrics tells, under the names of vLLM's metrics. Thread: any.
class Metrics {
 public:
  // `prefix` goes before each name with a colon: "tenon", or "vllm" for dashboards made for it.
  explicit Metrics(std::string prefix) : prefix_(std::move(prefix) + ":") {}

  void OnFirstToken(const std::string& model, double seconds);
  void OnTokens(const std::string& model, int32_t tokens, double seconds_since_last);
  void OnDone(const openai::CallRecord& record);
  void OnAnswered(const Answered& answered);

  // Looks at the engines' counters: from what they did since the last look come the tokens of a
  // step. Sum and count are exact; a look's steps share the bucket of their mean.
  void Look(const openai::ModelDirectory& models);

  std::string Text(const openai::ModelDirectory& models) const;

 private:
  struct OfModel {
    OfModel();
    Histogram first_token;
    Histogram inter_token;
    Histogram per_token;
    Histogram all;
    Histogram queue;
    Histogram iteration;
    std::map<std::string, uint64_t> finished;  // by reason
    int64_t steps = 0;                         // at the last look
    int64_t tokens = 0;
  };
  using Pick = Histogram OfModel::*;

  OfModel& Of(const std::string& model);
  void WriteEngines(const openai::ModelDirectory& models, MetricsText* text) const;
  void WriteCalls(MetricsText* text) const;
  void WriteHistogram(const char* name, const char* help, Pick pick, MetricsText* text) const;
  void WriteHttp(MetricsText* text) const;

  const std::string prefix_;
  mutable std::mutex mutex_;
  std::map<std::string, OfModel> models_;
  std::map<std::array<std::string, 3>, uint64_t> answered_;  // by route, method, status
};

}  // namespace tenon::apps::server
