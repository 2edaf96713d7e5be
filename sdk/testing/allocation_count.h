// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace tenon::testing {

// How often this test binary has called operator new, on all threads. Linking
// tenon_allocation_count replaces the operator.
int64_t AllocationCount();

}  // namespace tenon::testing
