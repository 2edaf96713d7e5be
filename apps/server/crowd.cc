// SPDX-License-Identifier: Apache-2.0
#include "apps/server/crowd.h"

namespace tenon::apps::server {

bool Crowd::Join(Member& member) {
  const std::lock_guard lock(mutex_);
  if (members_.size() - leaving_ >= most_) {
    if (waiting_.empty()) return false;
    Member* oldest = waiting_.front();
    waiting_.pop_front();
    Place& place = members_.at(oldest);
    place.waits = false;
    place.evicted = true;
    ++leaving_;
    oldest->Evict(false);
  }
  const auto at = waiting_.insert(waiting_.end(), &member);
  members_[&member] = {true, false, at};
  return true;
}

void Crowd::Leave(Member& member) {
  const std::lock_guard lock(mutex_);
  const auto found = members_.find(&member);
  if (found == members_.end()) return;
  if (found->second.waits) waiting_.erase(found->second.at);
  if (found->second.evicted) --leaving_;
  members_.erase(found);
}

void Crowd::Waits(Member& member) {
  const std::lock_guard lock(mutex_);
  const auto found = members_.find(&member);
  if (found == members_.end() || found->second.evicted) return;
  if (found->second.waits) waiting_.erase(found->second.at);
  found->second.waits = true;
  found->second.at = waiting_.insert(waiting_.end(), &member);
}

void Crowd::Works(Member& member) {
  const std::lock_guard lock(mutex_);
  const auto found = members_.find(&member);
  if (found == members_.end() || !found->second.waits) return;
  waiting_.erase(found->second.at);
  found->second.waits = false;
}

size_t Crowd::size() const {
  const std::lock_guard lock(mutex_);
  return members_.size();
}

void Crowd::EvictAll() {
  const std::lock_guard lock(mutex_);
  for (auto& [member, place] : members_) member->Evict(true);
}

}  // namespace tenon::apps::server
