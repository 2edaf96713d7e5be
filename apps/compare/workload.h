// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "apps/assemble/session.h"
#include "tenon/result.h"

namespace tenon::apps {

// One request of an experiment.
struct WorkItem {
  std::vector<int32_t> prompt;
  int32_t max_tokens = 0;
};

// Requests from a JSON Lines file, each {"prompt": "…"} or {"token_ids": […]}, with "max_tokens" if
// it is not `max_tokens`. kInvalid names the line.
Result<std::vector<WorkItem>> ReadWorkload(const std::string& path, const Session& session,
                                           int32_t max_tokens);

// `count` requests of different lengths: texts that Tenon brings along, or random token ids where
// the model has no tokenizer. The same for the same count.
std::vector<WorkItem> BuiltInWorkload(const Session& session, int32_t count, int32_t max_tokens);

}  // namespace tenon::apps
