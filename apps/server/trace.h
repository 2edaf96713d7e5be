// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdio>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "apps/openai/api.h"
#include "tenon/result.h"

namespace tenon::apps::server {

// What happened when, as a file that ui.perfetto.dev and chrome://tracing read (Trace Event Format,
// a JSON array): each request with its queue, prefill and decode, and what share of time plugins
// took. Holds lengths and times, never text. Thread: any.
class Trace {
 public:
  // When the file reaches half of `most_bytes` it becomes FILE.1 and a new one begins, so that the
  // latest are kept. kIo where it cannot be written.
  static Result<std::unique_ptr<Trace>> Open(const std::string& file,
                                             int64_t most_bytes = int64_t{64} << 20);
  ~Trace();

  void OnDone(const openai::CallRecord& record);
  // Adds what plugins did since the last look.
  void Look(const openai::ModelDirectory& models);

 private:
  Trace(std::string file, int64_t most_bytes) : path_(std::move(file)), most_bytes_(most_bytes) {}
  Result<void> Begin();
  double Now() const;  // microseconds since the trace began
  void Write(const std::string& event);

  const std::string path_;
  const int64_t most_bytes_;
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  std::mutex mutex_;
  std::FILE* out_ = nullptr;
  int64_t bytes_ = 0;
  int64_t number_ = 0;  // of the last request
  double looked_ = 0;
  std::map<std::string, double> seconds_;  // by model, family and plugin, at the last look
};

}  // namespace tenon::apps::server
