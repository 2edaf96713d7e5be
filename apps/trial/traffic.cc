// SPDX-License-Identifier: Apache-2.0
#include "apps/trial/traffic.h"

#include <utility>

namespace tenon::apps::trial {

uint64_t Traffic::Add(std::shared_ptr<OpenRequest> request) {
  const std::lock_guard lock(mutex_);
  open_.emplace(next_, std::move(request));
  return next_++;
}

void Traffic::Remove(uint64_t number) {
  std::shared_ptr<OpenRequest> removed;
  const std::lock_guard lock(mutex_);
  const auto found = open_.find(number);
  if (found == open_.end()) return;
  removed = std::move(found->second);
  open_.erase(found);
}

std::shared_ptr<OpenRequest> Traffic::Find(uint64_t number) const {
  const std::lock_guard lock(mutex_);
  const auto found = open_.find(number);
  return found != open_.end() ? found->second : nullptr;
}

std::vector<std::shared_ptr<OpenRequest>> Traffic::All() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<OpenRequest>> all;
  for (const auto& [number, request] : open_) all.push_back(request);
  return all;
}

}  // namespace tenon::apps::trial
