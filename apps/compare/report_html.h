// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "apps/compare/comparison.h"
#include "apps/compare/verdict.h"

namespace tenon::apps {

// What the report says of the arms besides the figures.
struct ArmText {
  std::string title;     // the file
  std::string pipeline;  // resolved, as YAML
  uint64_t memory_bytes = 0;
  double load_ms = 0;
};

// One self-contained HTML page with plots (SVG): the gain of each speed row with its interval and
// samples, both arms prompt by prompt, time by plugin, where outputs part, both pipelines. Nothing
// in it is fetched; all text is escaped.
std::string ReportHtml(const ArmText& a, const ArmText& b, const Comparison& comparison,
                       const Verdict& verdict);

}  // namespace tenon::apps
