// SPDX-License-Identifier: Apache-2.0
#include "core/program/arena.h"

#include <algorithm>
#include <numeric>

namespace tenon::core {
namespace {

constexpr uint64_t kAlignment = 64;

uint64_t Aligned(uint64_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

struct Placed {
  uint64_t begin, end;
  int32_t last;
};

}  // namespace

ArenaPlan PlanArena(const std::vector<Lifetime>& lifetimes) {
  ArenaPlan plan;
  plan.offsets.assign(lifetimes.size(), 0);
  std::vector<size_t> order(lifetimes.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return lifetimes[a].first < lifetimes[b].first; });

  std::vector<Placed> alive;  // by begin
  for (const size_t i : order) {
    const Lifetime& value = lifetimes[i];
    if (value.first < 0) continue;
    std::erase_if(alive, [&](const Placed& p) { return p.last < value.first; });
    const uint64_t bytes = Aligned(value.bytes);
    uint64_t begin = 0;
    auto at = alive.begin();
    for (; at != alive.end() && at->begin < begin + bytes; ++at) begin = std::max(begin, at->end);
    alive.insert(at, {begin, begin + bytes, value.last});
    plan.offsets[i] = begin;
    plan.bytes = std::max(plan.bytes, begin + bytes);
  }
  return plan;
}

}  // namespace tenon::core
