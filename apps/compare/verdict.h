// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "apps/compare/comparison.h"

namespace tenon::apps {

// What B must keep to; those not given ask for nothing.
struct Thresholds {
  std::optional<double> max_kl;            // nats a position
  std::optional<double> max_ppl_increase;  // per cent
  std::optional<double> min_speedup;       // of the whole request: 1.1 is ten per cent faster
};

struct Verdict {
  bool passed = true;       // every threshold kept; true where none was given
  bool difference = false;  // of any kind found
  std::string text;         // for people: what was found, or the smallest that could have been
  std::vector<std::string> failures;  // thresholds that B breaks, with both numbers
};

Verdict Judge(const Comparison& comparison, const Thresholds& thresholds);

}  // namespace tenon::apps
