// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "apps/engine/engine_client.h"
#include "apps/engine/engine_identity.h"

// What a recording holds: engines, and the requests that they were sent with what came of them.
// Tokens, no text, unless it was asked for.
namespace tenon::apps::record {

// How a choice ended.
enum class End : uint8_t {
  kStop,
  kLength,
  kCancelled,  // by whoever asked: it left, or a stop string was found in the text
  kBlocked,    // by a rule of the pipeline
  kError,
};

struct RecordedChoice {
  std::vector<int32_t> tokens;
  End end = End::kCancelled;
  int32_t cached_tokens = 0;    // of the prompt
  int64_t first_token_us = -1;  // since the request's arrival; -1: none came
  int64_t last_token_us = -1;   // the same
  std::string error;            // with kError
  std::string text;             // where texts are kept
};

struct RecordedRequest {
  int64_t arrival_us = 0;  // since the recording began
  int64_t cancel_us = -1;  // since its arrival; -1: nobody cancelled the whole of it
  int32_t engine = 0;      // RecordedEngine::number
  GenerateRequest
      request;  // of cache_salt: another number for each; user_text where texts are kept
  std::string prompt_text;              // where texts are kept
  std::vector<RecordedChoice> choices;  // request.n
};

// An engine that took requests. A reload makes another.
struct RecordedEngine {
  int32_t number = 0;
  std::string model;     // what requests called it
  std::string pipeline;  // the file, as given
  EngineIdentity identity;
};

// A server's run.
struct RecordedRun {
  std::string name;     // when it began, UTC: "20261231T235959.123Z"
  std::string program;  // Tenon's version
  bool text = false;    // texts are kept
  std::vector<RecordedEngine> engines;
  std::vector<RecordedRequest> requests;  // as they ended
  int64_t left_out = 0;                   // requests that the disk was too slow or too full for
  bool begins_late = false;               // the first files were dropped, to stay within a limit
  bool torn = false;                      // its last line was cut off, and is not here
};

// Mean time between the tokens of a choice, microseconds; 0 for fewer than two tokens.
inline double PerTokenUs(const RecordedChoice& choice) {
  if (choice.tokens.size() < 2) return 0;
  return static_cast<double>(choice.last_token_us - choice.first_token_us) /
         static_cast<double>(choice.tokens.size() - 1);
}

}  // namespace tenon::apps::record
