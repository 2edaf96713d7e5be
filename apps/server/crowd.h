// SPDX-License-Identifier: Apache-2.0
#pragma once

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
// full, the one that has waited longest makes room: clients that only hold connections open cannot
// lock others out. Thread: any.
class Crowd {
 public:
  explicit Crowd(size_t most) : most_(most) {}

  // False: full, and all are being served. Until Works the member counts as waiting.
  bool Join(Member& member);
  void Leave(Member& member);  // also of one that never joined
  void Waits(Member& member);  // from now on, for its client's next request
  void Works(Member& member);

  size_t size() const;
  void EvictAll();

 private:
  struct Place {
    bool waits = true;
    bool evicted = false;
    std::list<Member*>::iterator at;  // in waiting_, while it waits
  };

  const size_t most_;
  mutable std::mutex mutex_;
  std::unordered_map<Member*, Place> members_;
  std::list<Member*> waiting_;  // longest first
  size_t leaving_ = 0;          // evicted, not gone yet
};

}  // namespace tenon::apps::server
