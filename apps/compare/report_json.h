// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "apps/compare/ablation.h"
#include "apps/compare/arm_text.h"
#include "apps/compare/comparison.h"
#include "apps/compare/verdict.h"

namespace tenon::apps {

// The document of `tenon compare A B --json`: a, b, speed, plugin_seconds, quality, verdict. Ratios
// with their intervals; what has no end is null.
nlohmann::json CompareJson(const ArmText& a, const ArmText& b, const Comparison& comparison,
                           const Verdict& verdict);

// The document of `tenon compare --ablate P --json`: the pipeline, and for each of its plugins its
// state (measured, default, needed) and, where it was measured, what it contributes, and the
// comparison, in which A is the pipeline and B the one with the switch.
nlohmann::json AblationJson(const ArmText& whole, const std::vector<AblationRow>& rows);

}  // namespace tenon::apps
