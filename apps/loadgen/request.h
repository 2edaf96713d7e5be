// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace tenon::apps {

// A request as it goes over the wire.
struct LoadRequest {
  std::string body;           // JSON
  int64_t input_tokens = 0;   // as planned; the server's usage, where it is told, counts
  int64_t output_tokens = 0;  // asked for
};

// kDropped: under way when the run was interrupted.
enum class LoadOutcome : uint8_t { kUnsent, kDropped, kFailed, kCompleted };

// What became of it, by the client's clock; seconds since the run began.
struct LoadResult {
  LoadOutcome outcome = LoadOutcome::kUnsent;
  double start_s = 0;   // when it was sent: connecting is part of it, waiting for a place is not
  double waited_s = 0;  // from its time until it was sent, as where --max-concurrency holds it back
  double first_s = 0;   // start to the first chunk with output
  double latency_s = 0;       // start to the last chunk with output or finish_reason
  std::vector<float> gaps_s;  // between chunks with output
  int64_t input_tokens = 0;
  int64_t output_tokens = 0;   // usage; without it the chunks with output
  int64_t cached_tokens = -1;  // -1: not told
  std::string error;    // kind, with kFailed: "HTTP 429", "connect", "cut off", "timeout", …
  std::string message;  // the server's, or the system's
};

}  // namespace tenon::apps
