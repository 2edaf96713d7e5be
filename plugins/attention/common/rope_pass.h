// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tenon/program.h"

namespace tenon::attention {

// Replaces each kRope of exactly the q and k that a kAttention reads, and that nothing else reads
// or writes from there on, and the kAttention by one kRopeAttention. May throw std::bad_alloc.
void JoinRopes(ProgramEditor& program);

}  // namespace tenon::attention
