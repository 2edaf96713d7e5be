// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <variant>

#include "apps/record/record.h"
#include "tenon/result.h"

// The lines of a recording's files: JSON, each with its kind as its only outer member, ended by
// "\n".
//   {"recording": {"format": 1, "file": 1, "run", "tenon", "text"}}   the first line of each file
//   {"engine": {"number", "model", "pipeline", "identity": {…}}}      before its first request
//   {"request": {…}}                                                  when it has ended
//   {"left_out": 3}                                                   in all, so far
namespace tenon::apps::record {

inline constexpr int kFormat = 1;
inline constexpr size_t kMostLineBytes = size_t{32} << 20;
inline constexpr size_t kMostIdBytes = 256;  // of a request's id; longer ones are cut

struct FileHead {
  RecordedRun run;   // its name, program and text alone
  int64_t file = 1;  // the how-manieth of the run
};
struct LeftOut {
  int64_t requests = 0;
};
using Line = std::variant<FileHead, RecordedEngine, RecordedRequest, LeftOut>;
// The outer members' names, in that order.
inline constexpr const char* kKinds[] = {"recording", "engine", "request", "left_out"};

// In texts, bytes that are no UTF-8 are replaced.
std::string LineOf(const Line& line);

// kInvalid says what of it is not understood. REQUIRES: `text` is without its "\n".
Result<Line> ReadLine(std::string_view text);

}  // namespace tenon::apps::record
