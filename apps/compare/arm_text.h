// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "apps/assemble/session.h"

namespace tenon::apps {

// What reports say of an arm besides the figures.
struct ArmText {
  std::string title;     // the file
  std::string pipeline;  // resolved, as YAML
  uint64_t memory_bytes = 0;
  double load_ms = 0;
};

ArmText ArmTextOf(const std::string& title, Session& session);

}  // namespace tenon::apps
