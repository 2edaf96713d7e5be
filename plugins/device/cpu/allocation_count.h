// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace tenon::cpu {

// How often this test binary has called operator new, on all threads.
int64_t AllocationCount();

}  // namespace tenon::cpu
