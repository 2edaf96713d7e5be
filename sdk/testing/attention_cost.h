// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tenon/testing/verdict.h"

namespace tenon::testing {

// That Run allocates nothing, and how long it takes.
void AddAttentionCost(const ComponentInfo& component, std::vector<Test>* tests);

}  // namespace tenon::testing
