// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

namespace tenon::core {

// A value's need of memory: written first by op `first`, read last by op `last`.
struct Lifetime {
  int32_t first = -1;  // -1: never used, gets no memory
  int32_t last = -1;
  uint64_t bytes = 0;
};

struct ArenaPlan {
  std::vector<uint64_t> offsets;  // for each lifetime; multiples of 64
  uint64_t bytes = 0;             // of the whole arena
};

// Places values so that those alive at the same time do not overlap, reusing the memory of the
// dead. First fit in order of first use; pure.
ArenaPlan PlanArena(const std::vector<Lifetime>& lifetimes);

}  // namespace tenon::core
