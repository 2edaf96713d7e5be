// SPDX-License-Identifier: Apache-2.0
#include "core/program/meetings.h"

namespace tenon::core {
namespace {

bool Conflict(const Access& a, Split a_split, const Access& b, Split b_split) {
  if (!a.write && !b.write) return false;
  if (a.begin >= b.end || b.begin >= a.end) return false;
  const bool own_rows = a_split == Split::kRows && b_split == Split::kRows && a.value == b.value;
  return !own_rows;
}

}  // namespace

std::vector<bool> PlanMeetings(const std::vector<OpAccesses>& ops) {
  std::vector<bool> meet(ops.size(), false);
  size_t since = 0;  // the first op after the last meeting
  for (size_t i = 0; i < ops.size(); ++i) {
    for (size_t j = since; j < i && !meet[i]; ++j) {
      for (const Access& now : ops[i].accesses) {
        for (const Access& before : ops[j].accesses) {
          if (Conflict(before, ops[j].split, now, ops[i].split)) meet[i] = true;
        }
      }
    }
    if (meet[i]) since = i;
  }
  return meet;
}

}  // namespace tenon::core
