// SPDX-License-Identifier: Apache-2.0
#include "apps/openai/admission.h"

#include <algorithm>
#include <cmath>

#include "fmt/format.h"

namespace tenon::apps::openai {

std::unique_ptr<Admission::Ticket> Admission::Enter() {
  const std::lock_guard lock(mutex_);
  if (waiting_ >= limits_.waiting_requests) return nullptr;
  ++running_;
  ++waiting_;
  return std::unique_ptr<Ticket>(new Ticket(shared_from_this()));
}

bool Admission::Ticket::Hold(int64_t tokens) {
  const std::lock_guard lock(admission_->mutex_);
  int64_t& held = admission_->waiting_tokens_;
  // A prompt as long as the limit must get through when nobody else waits.
  if (held > 0 && held + tokens > admission_->limits_.waiting_tokens) return false;
  tokens_ += tokens;
  held += tokens;
  return true;
}

void Admission::Ticket::Begin() {
  const std::lock_guard lock(admission_->mutex_);
  if (!waiting_) return;
  waiting_ = false;
  --admission_->waiting_;
  admission_->waiting_tokens_ -= tokens_;
  admission_->began_[admission_->begun_++ % kRemembered] = Clock::now();
}

Admission::Ticket::~Ticket() {
  const std::lock_guard lock(admission_->mutex_);
  --admission_->running_;
  if (!waiting_) return;
  --admission_->waiting_;
  admission_->waiting_tokens_ -= tokens_;
}

ApiError Admission::Refusal() const {
  const std::lock_guard lock(mutex_);
  double seconds = 1;
  const auto remembered = std::min<uint64_t>(begun_, kRemembered);
  if (remembered > 1) {
    const auto oldest = begun_ > kRemembered ? began_[begun_ % kRemembered] : began_[0];
    const double since = std::chrono::duration<double>(Clock::now() - oldest).count();
    seconds = std::ceil(static_cast<double>(waiting_) * since / static_cast<double>(remembered));
  }
  ApiError error;
  error.status = 429;
  error.type = "rate_limit_error";
  error.code = "queue_full";
  error.retry_after_s = static_cast<int>(std::clamp(seconds, 1.0, 60.0));
  error.message = fmt::format(
      "The queue is full: {} requests with {} tokens wait; {} and {} may. Try again in {} s.",
      waiting_, waiting_tokens_, limits_.waiting_requests, limits_.waiting_tokens,
      error.retry_after_s);
  return error;
}

int64_t Admission::Running() const {
  const std::lock_guard lock(mutex_);
  return running_;
}

int64_t Admission::Waiting() const {
  const std::lock_guard lock(mutex_);
  return waiting_;
}

}  // namespace tenon::apps::openai
