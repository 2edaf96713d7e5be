// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "tenon/op.h"

namespace tenon::core {

// A stretch of the arena that an op reads or writes.
struct Access {
  uint32_t value;
  uint64_t begin, end;  // bytes of the arena: the whole value, whatever the columns
  bool write;
};

struct OpAccesses {
  Split split;
  std::vector<Access> accesses;
};

// Where lanes must meet so that no lane reads or overwrites what another has not finished: [ops],
// true before an op that conflicts with one since the last meeting. Two row-split ops on the same
// value do not conflict: each lane touches its own rows. Pure.
std::vector<bool> PlanMeetings(const std::vector<OpAccesses>& ops);

}  // namespace tenon::core
