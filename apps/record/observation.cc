// SPDX-License-Identifier: Apache-2.0
#include "apps/record/observation.h"

#include <algorithm>

namespace tenon::apps::record {
namespace {

End EndOf(const GenerateEvent& event) {
  switch (event.finish) {
    case core::FinishReason::kStop:
      return event.blocked ? End::kBlocked : End::kStop;
    case core::FinishReason::kLength:
      return End::kLength;
    case core::FinishReason::kError:
      return End::kError;
    default:
      return End::kCancelled;
  }
}

}  // namespace

int64_t MicrosecondsBetween(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration_cast<std::chrono::microseconds>(to - from).count();
}

Observation::Observation(const GenerateRequest& request, Clock::time_point began)
    : ended_(static_cast<size_t>(std::max(request.n, 1))), open_(ended_.size()) {
  record_.arrival_us = MicrosecondsBetween(began, arrival_);
  record_.request = request;
  record_.request.n = static_cast<int32_t>(open_);
  record_.choices.resize(open_);
}

bool Observation::Hear(const GenerateEvent& event) {
  if (open_ == 0) return false;
  const auto index = static_cast<size_t>(event.choice);
  if (event.choice < 0 || index >= ended_.size() || ended_[index]) return false;
  RecordedChoice& choice = record_.choices[index];
  if (!event.tokens.empty()) {
    choice.last_token_us = MicrosecondsBetween(arrival_, Clock::now());
    if (choice.tokens.empty()) choice.first_token_us = choice.last_token_us;
    for (const GeneratedToken& token : event.tokens) choice.tokens.push_back(token.id);
  }
  choice.cached_tokens = std::max(choice.cached_tokens, event.cached_tokens);
  if (event.finish == core::FinishReason::kNone) return false;
  if (event.finish == core::FinishReason::kError) {
    // Nothing else comes of a request that an engine refused or lost.
    for (size_t i = 0; i < ended_.size(); ++i) {
      if (ended_[i]) continue;
      record_.choices[i].end = End::kError;
      record_.choices[i].error = event.error;
    }
    open_ = 0;
    return true;
  }
  choice.end = EndOf(event);
  ended_[index] = true;
  return --open_ == 0;
}

}  // namespace tenon::apps::record
