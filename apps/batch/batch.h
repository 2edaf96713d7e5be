// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "apps/openai/api.h"
#include "tenon/result.h"

// Many requests from a file, answered into another, as OpenAI's batch API has them.
namespace tenon::apps::batch {

struct BatchOptions {
  std::string input;   // request lines
  std::string output;  // answer lines are appended; those there are not asked for again
  int64_t in_flight = 64;
  bool progress = false;                // a bar with rate and time left on stderr
  const volatile bool* stop = nullptr;  // ends it cleanly: what runs is cancelled
};

struct BatchSummary {
  int64_t lines = 0;      // of the input, empty ones aside
  int64_t skipped = 0;    // answered by an earlier run
  int64_t succeeded = 0;  // status 200
  int64_t failed = 0;     // refused, failed, or no request at all; the output says why
  double seconds = 0;
  bool stopped = false;
};

// One line's trouble is an answer; an Error is of the files.
Result<BatchSummary> RunBatch(openai::Api& api, const BatchOptions& options);

}  // namespace tenon::apps::batch
