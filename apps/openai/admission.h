// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>

#include "apps/openai/api.h"

namespace tenon::apps::openai {

// Counts what runs and what waits for its first token, and says when that is too much. Thread: any.
class Admission : public std::enable_shared_from_this<Admission> {
 public:
  // A call's place; leaves it when it ends.
  class Ticket {
   public:
    ~Ticket();
    Ticket(const Ticket&) = delete;
    Ticket& operator=(const Ticket&) = delete;

    // Counts the prompt's tokens while it waits; false, and not counted, where too many wait.
    bool Hold(int64_t tokens);
    // It waits no longer. Once.
    void Begin();

   private:
    friend class Admission;
    explicit Ticket(std::shared_ptr<Admission> admission) : admission_(std::move(admission)) {}
    std::shared_ptr<Admission> admission_;
    int64_t tokens_ = 0;
    bool waiting_ = true;
  };

  explicit Admission(const AdmissionLimits& limits) : limits_(limits) {}

  // Null where as many wait as may.
  std::unique_ptr<Ticket> Enter();

  // The answer to who cannot come in: 429, and when to try again, from the rate at which the last
  // ones began.
  ApiError Refusal() const;

  int64_t Running() const;
  int64_t Waiting() const;

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr size_t kRemembered = 64;

  const AdmissionLimits limits_;
  mutable std::mutex mutex_;
  int64_t running_ = 0;
  int64_t waiting_ = 0;
  int64_t waiting_tokens_ = 0;
  std::array<Clock::time_point, kRemembered> began_{};  // a ring
  uint64_t begun_ = 0;
};

}  // namespace tenon::apps::openai
