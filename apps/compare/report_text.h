// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "apps/compare/ablation.h"
#include "apps/compare/arm_text.h"
#include "apps/compare/comparison.h"
#include "apps/compare/verdict.h"

namespace tenon::apps {

// What `tenon compare` prints for people; lines end with newlines.
std::string CompareText(const ArmText& a, const ArmText& b, const Comparison& comparison,
                        const Verdict& verdict);

// The table of what each plugin contributes, and a key to it.
std::string AblationText(const ArmText& whole, const std::vector<AblationRow>& rows);

}  // namespace tenon::apps
