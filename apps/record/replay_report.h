// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <vector>

#include "apps/record/difference.h"

// What a replay came to, for people and programs.
namespace tenon::apps::record {

struct ReplayReport {
  std::string folder;
  const RecordedRun* recording = nullptr;     // its requests are not looked at
  const RecordedEngine* engine = nullptr;     // that took most of the requests
  std::span<const RecordedRequest> requests;  // that were replayed, by arrival
  std::string pipeline;                       // that replayed them
  EngineIdentity identity;                    // of the engine that did
  double speed = 1;                           // infinite: all at once
  std::vector<std::string> notes;             // what a reader must know of the recording
  ReplayRun run;
  Differences differences;
  std::vector<PluginChange> plugins;
};

// What of the recording is not as a reader would expect. `front_rules`: the replaying pipeline has
// some.
std::vector<std::string> NotesOf(const RecordedRun& run, bool front_rules);

// "identical", "same so far" …
const char* Name(Outcome outcome);

// A token of an output by its number; below 0, where the output ends.
std::string TokenText(int32_t id);

// Tables; of the changes the first few.
std::string ReplayText(const ReplayReport& report);

// One JSON document. `detail`: each request as well, with when it was due and when it was sent.
std::string ReplayJson(const ReplayReport& report, bool detail);

// A page that stands alone.
std::string ReplayHtml(const ReplayReport& report);

}  // namespace tenon::apps::record
