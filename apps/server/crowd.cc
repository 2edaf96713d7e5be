// SPDX-License-Identifier: Apache-2.0
#include "apps/server/crowd.h"

#include <utility>

namespace tenon::apps::server {

void Crowd::Unlist(Place& place) {
  if (place.list != nullptr) place.list->erase(place.at);
  place.list = nullptr;
}

bool Crowd::Join(Member& member) {
  const std::lock_guard lock(mutex_);
  if (members_.size() - leaving_ >= most_) {
    auto& waiting = strangers_.empty() ? known_ : strangers_;
    if (waiting.empty()) return false;
    Member* oldest = waiting.front();
    Place& place = members_.at(oldest);
    Unlist(place);
    place.evicted = true;
    ++leaving_;
    oldest->Evict(false);
  }
  Place& place = members_[&member];
  place.list = &strangers_;
  place.at = strangers_.insert(strangers_.end(), &member);
  return true;
}

void Crowd::Leave(Member& member) {
  const std::lock_guard lock(mutex_);
  const auto found = members_.find(&member);
  if (found == members_.end()) return;
  Unlist(found->second);
  if (found->second.evicted) --leaving_;
  body_bytes_ -= found->second.bytes;
  members_.erase(found);
}

void Crowd::Waits(Member& member) {
  const std::lock_guard lock(mutex_);
  const auto found = members_.find(&member);
  if (found == members_.end() || found->second.evicted) return;
  Unlist(found->second);
  found->second.list = &known_;
  found->second.at = known_.insert(known_.end(), &member);
}

void Crowd::Works(Member& member) {
  const std::lock_guard lock(mutex_);
  const auto found = members_.find(&member);
  if (found != members_.end()) Unlist(found->second);
}

bool Crowd::Keep(Member& member, uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  const auto found = members_.find(&member);
  if (found == members_.end() || body_bytes_ + bytes > most_body_bytes_) return false;
  body_bytes_ += bytes;
  found->second.bytes += bytes;
  return true;
}

void Crowd::Release(Member& member) {
  const std::lock_guard lock(mutex_);
  const auto found = members_.find(&member);
  if (found != members_.end()) body_bytes_ -= std::exchange(found->second.bytes, 0);
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
