// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <list>
#include <span>
#include <unordered_map>
#include <vector>

namespace tenon::apps::link {

// What a router knows of one engine of several that are alike.
struct EngineLoad {
  bool takes = false;  // requests at all
  int64_t tokens = 0;  // of its open requests: prompts and outputs so far
};

// Who gets a request: the engine that saw the longest beginning of its prompt last, since its cache
// may hold it, unless that engine has much more to do than the least busy one; else that one.
// Thread: one.
class Router {
 public:
  // `block_tokens`: what caches share whole; at least 1.
  explicit Router(int32_t block_tokens);

  // The place in `loads`; -1 where none takes requests. `salt`: prompts of different salts share
  // nothing.
  int Pick(std::span<const int32_t> prompt, uint64_t salt, std::span<const EngineLoad> loads);

 private:
  struct Seen {
    uint64_t hash;
    int engine;
  };

  std::vector<uint64_t> Hashes(std::span<const int32_t> prompt, uint64_t salt) const;
  int SeenBy(const std::vector<uint64_t>& hashes, std::span<const EngineLoad> loads) const;
  void Note(const std::vector<uint64_t>& hashes, int engine);

  const size_t block_;
  std::list<Seen> seen_;  // the latest first
  std::unordered_map<uint64_t, std::list<Seen>::iterator> places_;
};

}  // namespace tenon::apps::link
