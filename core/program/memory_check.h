// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "core/program/program.h"

namespace tenon::core {

// Device memory that the makers of `list` would take for weights, told without loading any.
uint64_t WeightBytes(const ProgramList& list, const Makers& makers);

// Success where `weights_bytes`, the KV pages and the arena of `plan` fit into what is free on
// `device`. Else kOutOfMemory: what is needed, what is free, and what to change.
Result<void> CheckMemory(const ProgramMemory& plan, uint64_t weights_bytes,
                         const ProgramLimits& limits, Device& device);

}  // namespace tenon::core
