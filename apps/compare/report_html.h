// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "apps/compare/ablation.h"
#include "apps/compare/arm_text.h"
#include "apps/compare/comparison.h"
#include "apps/compare/verdict.h"

namespace tenon::apps {

// One self-contained HTML page with plots (SVG): the gain of each speed row with its interval and
// samples, both arms prompt by prompt, time by plugin, where outputs part, both pipelines. Nothing
// in it is fetched; all text is escaped.
std::string ReportHtml(const ArmText& a, const ArmText& b, const Comparison& comparison,
                       const Verdict& verdict);

// The same for an ablation: a table and plots of what each plugin contributes, and each row's
// comparison folded up below.
std::string AblationHtml(const ArmText& whole, const std::vector<AblationRow>& rows);

}  // namespace tenon::apps
