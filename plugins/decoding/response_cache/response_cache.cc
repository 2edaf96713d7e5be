// SPDX-License-Identifier: Apache-2.0
#include "plugins/decoding/response_cache/response_cache.h"

#include <new>

namespace tenon::decoding {
namespace {

std::pair<uint64_t, uint64_t> KeyOf(const RuleRequest& request) {
  return {request.fingerprint[0], request.fingerprint[1]};
}

}  // namespace

ResponseCache::ResponseCache(const CreateArgs& args)
    : entries_(static_cast<uint64_t>(args.options.Int("entries"))),
      bytes_(static_cast<uint64_t>(args.options.Int("megabytes")) << 20) {}

bool ResponseCache::Answer(const RuleRequest& request, TextSink& out) noexcept {
  try {
    std::string answer;
    {
      const std::lock_guard lock(mutex_);
      const auto found = places_.find(KeyOf(request));
      if (found == places_.end()) return false;
      order_.splice(order_.begin(), order_, found->second);
      answer = found->second->answer;
    }
    out.Append(std::string_view(answer));
    return true;
  } catch (const std::bad_alloc&) {
    return false;
  }
}

void ResponseCache::Learn(const RuleRequest& request, Str answer) noexcept {
  if (answer.size > bytes_) return;
  const std::lock_guard lock(mutex_);
  try {
    const Key key = KeyOf(request);
    if (places_.contains(key)) return;
    order_.push_front({key, std::string(std::string_view(answer))});
    held_bytes_ += answer.size;
    places_.emplace(key, order_.begin());
  } catch (const std::bad_alloc&) {
    // What was not kept is made again by the model.
    if (!order_.empty() && !places_.contains(order_.front().key)) {
      held_bytes_ -= order_.front().answer.size();
      order_.pop_front();
    }
  }
  Shrink();
}

void ResponseCache::Shrink() {
  while (order_.size() > entries_ || held_bytes_ > bytes_) {
    held_bytes_ -= order_.back().answer.size();
    places_.erase(order_.back().key);
    order_.pop_back();
  }
}

}  // namespace tenon::decoding
