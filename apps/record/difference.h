// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "apps/loadgen/metrics.h"
#include "apps/record/replay.h"

// What a replay's outputs and times are beside the recorded ones.
namespace tenon::apps::record {

// Of a choice, and of a request the last of its choices' in this order.
enum class Outcome : uint8_t {
  kIdentical,     // all tokens, and the end
  kSameSoFar,     // one side was cut off: by who asked, a rule, an error or a stop; to there
  kIncomparable,  // the same, before there was a token on both sides
  kUnsent,        // the replay was stopped before
  kFailed,        // an error that the recording has not
  kChanged,
};
inline constexpr size_t kOutcomes = 6;

// Where a choice first differs.
struct Change {
  size_t request = 0;  // its place among those replayed
  int32_t choice = 0;
  size_t token = 0;            // of the output, from 0
  int32_t recorded = -1;       // the token there; -1: it had ended
  int32_t replayed = -1;       // the same
  size_t recorded_tokens = 0;  // in all
  size_t replayed_tokens = 0;
};

// Nothing where they agree as far as they can be compared.
std::optional<Change> FirstDifference(const RecordedChoice& recorded,
                                      const RecordedChoice& replayed);

Outcome OutcomeOf(const RecordedChoice& recorded, const RecordedChoice& replayed);

// A time on both sides, of the requests that have it on both; milliseconds.
struct TimePair {
  Distribution recorded, replayed;
};

// A component that is not what it was.
struct PluginChange {
  std::string place;     // "attention", "decoding 2", "tenon" for the program itself
  std::string recorded;  // "paged, tenon.attention.paged 0.1.0, sha256 0123456789ab"; "none"
  std::string replayed;
  bool other_file = false;  // the component is the same by name, its file's hash is another
};

struct Differences {
  std::vector<Outcome> outcomes;    // by request
  int64_t counts[kOutcomes] = {};   // of requests
  std::vector<Change> changes;      // by request and choice
  std::vector<std::string> errors;  // of failed requests, each message once
  TimePair first_token, per_token, whole;
  Distribution late;  // how much later than due requests were sent
  int64_t recorded_tokens = 0, replayed_tokens = 0;
};

// `run` is of `requests`.
Differences Compare(std::span<const RecordedRequest> requests, const ReplayRun& run);

std::vector<PluginChange> PluginChanges(const EngineIdentity& recorded,
                                        const EngineIdentity& replayed);

}  // namespace tenon::apps::record
