// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <list>
#include <mutex>
#include <unordered_map>

namespace tenon::apps::server {

class Member {
 public:
  virtual ~Member() = default;
  // Ends it soon; where it is being served, only if `working_too`. Must neither block nor leave the
  // crowd before it returns.
  virtual void Evict(bool working_too) = 0;
};

// All connections of a server, and which of them wait for their client. When a newcomer finds it
// full, one that waits makes room, of those that never asked anything first, the longest first:
// clients that only hold connections open cannot lock others out. Thread: any.
class Crowd {
 public:
  Crowd(size_t most, uint64_t most_body_bytes) : most_(most), most_body_bytes_(most_body_bytes) {}

  // False: full, and all are being served. Until Works the member counts as waiting.
  bool Join(Member& member);
  void Leave(Member& member);  // also of one that never joined
  void Waits(Member& member);  // from now on, for its client's next request
  void Works(Member& member);

  // Bytes of bodies that a member keeps; false: all together would be too many. Leave and Release
  // give them back.
  bool Keep(Member& member, uint64_t bytes);
  void Release(Member& member);

  size_t size() const;
  void EvictAll();

 private:
  struct Place {
    bool evicted = false;
    std::list<Member*>* list = nullptr;  // while it waits
    std::list<Member*>::iterator at;
    uint64_t bytes = 0;
  };

  void Unlist(Place& place);

  const size_t most_;
  const uint64_t most_body_bytes_;
  mutable std::mutex mutex_;
  std::unordered_map<Member*, Place> members_;
  std::list<Member*> strangers_;  // wait and never asked; longest first
  std::list<Member*> known_;      // wait for their next request
  size_t leaving_ = 0;            // evicted, not gone yet
  uint64_t body_bytes_ = 0;
};

}  // namespace tenon::apps::server
