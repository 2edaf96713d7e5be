// SPDX-License-Identifier: Apache-2.0
#include "apps/link/routing.h"

#include <algorithm>

namespace tenon::apps::link {
namespace {

constexpr size_t kMaxBlocks = 32;  // of a prompt that are looked at
constexpr size_t kMaxSeen = 1 << 16;
// A prefix is not worth more waiting than this: twice the least load, and some.
constexpr int64_t kSlackTokens = 4096;

uint64_t Mix(uint64_t hash, uint64_t value) {
  // splitmix64's finaliser.
  hash += value + 0x9e3779b97f4a7c15;
  hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9;
  hash = (hash ^ (hash >> 27)) * 0x94d049bb133111eb;
  return hash ^ (hash >> 31);
}

}  // namespace

Router::Router(int32_t block_tokens) : block_(static_cast<size_t>(std::max(block_tokens, 1))) {}

std::vector<uint64_t> Router::Hashes(std::span<const int32_t> prompt, uint64_t salt) const {
  std::vector<uint64_t> hashes;
  uint64_t hash = Mix(0, salt);
  for (size_t block = 0; block < kMaxBlocks && (block + 1) * block_ <= prompt.size(); ++block) {
    for (const int32_t id : prompt.subspan(block * block_, block_)) {
      hash = Mix(hash, static_cast<uint64_t>(static_cast<uint32_t>(id)));
    }
    hashes.push_back(hash);
  }
  return hashes;
}

int Router::SeenBy(const std::vector<uint64_t>& hashes, std::span<const EngineLoad> loads) const {
  for (auto hash = hashes.rbegin(); hash != hashes.rend(); ++hash) {
    const auto place = places_.find(*hash);
    if (place == places_.end()) continue;
    const auto engine = static_cast<size_t>(place->second->engine);
    if (engine < loads.size() && loads[engine].takes) return place->second->engine;
  }
  return -1;
}

int Router::Pick(std::span<const int32_t> prompt, uint64_t salt,
                 std::span<const EngineLoad> loads) {
  int least = -1;
  for (size_t i = 0; i < loads.size(); ++i) {
    const bool better = least < 0 || loads[i].tokens < loads[static_cast<size_t>(least)].tokens;
    if (loads[i].takes && better) least = static_cast<int>(i);
  }
  if (least < 0 || loads.size() == 1) return least;
  const std::vector<uint64_t> hashes = Hashes(prompt, salt);
  const int seen = SeenBy(hashes, loads);
  const int64_t most = 2 * loads[static_cast<size_t>(least)].tokens + kSlackTokens;
  const int picked = seen >= 0 && loads[static_cast<size_t>(seen)].tokens <= most ? seen : least;
  Note(hashes, picked);
  return picked;
}

void Router::Note(const std::vector<uint64_t>& hashes, int engine) {
  for (const uint64_t hash : hashes) {
    const auto place = places_.find(hash);
    if (place != places_.end()) seen_.erase(place->second);
    seen_.push_front({hash, engine});
    places_[hash] = seen_.begin();
  }
  while (seen_.size() > kMaxSeen) {
    places_.erase(seen_.back().hash);
    seen_.pop_back();
  }
}

}  // namespace tenon::apps::link
