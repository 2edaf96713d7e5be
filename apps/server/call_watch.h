// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "apps/openai/api.h"
#include "apps/server/log.h"
#include "apps/server/metrics.h"
#include "apps/server/trace.h"

namespace tenon::apps::server {

// Tells metrics, log and trace of calls. `trace` may be nullptr; all outlive it.
class CallWatch : public openai::CallObserver {
 public:
  CallWatch(Metrics& metrics, Log& log, Trace* trace)
      : metrics_(metrics), log_(log), trace_(trace) {}

  void OnFirstToken(const std::string& model, double seconds) override {
    metrics_.OnFirstToken(model, seconds);
  }
  void OnTokens(const std::string& model, int32_t tokens, double seconds_since_last) override {
    metrics_.OnTokens(model, tokens, seconds_since_last);
  }
  void OnDone(const openai::CallRecord& record) override;
  void OnUnknownField(std::string_view field) override;

 private:
  Metrics& metrics_;
  Log& log_;
  Trace* trace_;
};

}  // namespace tenon::apps::server
