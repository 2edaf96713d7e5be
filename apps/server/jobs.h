// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "apps/openai/api.h"
#include "apps/server/exchange.h"

namespace tenon::apps::server {

struct JobLimits {
  size_t jobs = 1000;                     // kept, running or not
  size_t job_bytes = size_t{16} << 20;    // of one answer
  size_t all_bytes = size_t{256} << 20;   // of all answers kept
  std::chrono::seconds age{600};          // of an answer, since it is there
  std::chrono::seconds longest_wait{60};  // of a long poll
  std::chrono::seconds collect_time{5};   // that a drain leaves for answers to be fetched
};

// Requests whose answers are kept to be fetched: POST gives an id, GET the state, what has come
// and, in the end, the answer. A job is seen by its tenant only. Thread: any.
class Jobs {
 public:
  explicit Jobs(const JobLimits& limits) : limits_(limits) {}
  ~Jobs();

  // Begins the job of `request` and answers 202 with its id; 429 when too many are running.
  void Submit(openai::Api& api, openai::Endpoint endpoint, const std::shared_ptr<Exchange>& to);
  // Answers with the job's state; with `wait` as soon as there is news: chunks from number `after`
  // on, or its end.
  void Get(const std::shared_ptr<Exchange>& to, std::chrono::seconds wait, size_t after);
  // Cancels a running job, forgets one that is over.
  void Delete(const std::shared_ptr<Exchange>& to);

  // To be called several times a second: answers polls whose time is over, drops old jobs.
  void Tick();

  // Whether a drain must wait: jobs run, or their answers were not fetched yet.
  bool Busy() const;

 private:
  using Clock = std::chrono::steady_clock;
  struct Job;
  struct Poll {
    std::shared_ptr<Exchange> to;
    Clock::time_point until;
    size_t after;
  };
  class Sink;

  std::shared_ptr<Job> Find(const Request& request) const;
  bool MakeRoom();
  void Change(const std::shared_ptr<Job>& job, const char* state, std::string text, int status);
  void AddChunk(const std::shared_ptr<Job>& job, std::string json);
  void AnswerPolls(const std::shared_ptr<Job>& job, Clock::time_point now, bool news);
  static std::string Text(const Job& job, size_t after);

  const JobLimits limits_;
  mutable std::mutex mutex_;
  std::unordered_map<std::string, std::shared_ptr<Job>> jobs_;
  size_t bytes_ = 0;
};

}  // namespace tenon::apps::server
