// SPDX-License-Identifier: Apache-2.0
#include "apps/server/jobs.h"

#include <algorithm>
#include <ctime>

#include "apps/server/api_keys.h"
#include "fmt/format.h"

namespace tenon::apps::server {
namespace {

constexpr const char* kRunning = "running";

openai::ApiError NoSuchJob() {
  return MakeError(404, "there is no such job; ended ones are kept for a while only", "not_found");
}

}  // namespace

// Guarded by Jobs::mutex_ but for what never changes.
struct Jobs::Job {
  std::string id;
  std::string tenant;
  int64_t created = 0;  // Unix time
  const char* state = kRunning;
  std::vector<std::string> chunks;
  std::string response;  // JSON; empty: none
  int status = 0;        // that the response would have had
  size_t bytes = 0;
  bool fetched = false;  // after its end
  Clock::time_point ended{};
  std::shared_ptr<openai::Call> call;
  std::vector<Poll> polls;

  bool Running() const { return state == kRunning; }
};

class Jobs::Sink : public openai::ReplySink {
 public:
  Sink(Jobs* jobs, std::shared_ptr<Job> job) : jobs_(jobs), job_(std::move(job)) {}

  void Whole(std::string json) override { jobs_->Change(job_, "completed", std::move(json), 200); }
  void Chunk(std::string json) override { jobs_->AddChunk(job_, std::move(json)); }
  void End() override { jobs_->Change(job_, "completed", "", 200); }
  void Fail(const openai::ApiError& error) override {
    jobs_->Change(job_, "failed", error.Json(), error.status);
  }

 private:
  Jobs* const jobs_;
  const std::shared_ptr<Job> job_;
};

Jobs::~Jobs() {
  for (auto& [id, job] : jobs_) {
    if (job->call && job->Running()) job->call->Cancel();
  }
}

std::string Jobs::Text(const Job& job, size_t after) {
  std::string text = fmt::format(R"({{"id":"{}","object":"job","created":{},"status":"{}")", job.id,
                                 job.created, job.state);
  if (!job.chunks.empty()) {
    text += R"(,"chunks":[)";
    for (size_t i = after; i < job.chunks.size(); ++i) {
      if (i > after) text += ",";
      text += job.chunks[i];
    }
    text += fmt::format(R"(],"next":{})", job.chunks.size());
  }
  if (!job.response.empty()) {
    text += fmt::format(R"(,"status_code":{},"response":{})", job.status, job.response);
  }
  return text + "}";
}

bool Jobs::MakeRoom() {
  if (jobs_.size() < limits_.jobs) return true;
  auto oldest = jobs_.end();
  for (auto job = jobs_.begin(); job != jobs_.end(); ++job) {
    if (job->second->Running()) continue;
    if (oldest == jobs_.end() || job->second->ended < oldest->second->ended) oldest = job;
  }
  if (oldest == jobs_.end()) return false;
  bytes_ -= oldest->second->bytes;
  jobs_.erase(oldest);
  return true;
}

void Jobs::Submit(openai::Api& api, openai::Endpoint endpoint,
                  const std::shared_ptr<Exchange>& to) {
  Request& request = to->request();
  auto job = std::make_shared<Job>();
  job->id = "job-" + RandomHex(16);
  job->tenant = request.tenant;
  job->created = std::time(nullptr);
  bool room = false;
  {
    const std::lock_guard lock(mutex_);
    room = bytes_ < limits_.all_bytes && MakeRoom();
    if (room) jobs_[job->id] = job;
  }
  if (!room) {
    openai::ApiError error = MakeError(429, "too many jobs are kept", "too_many_jobs");
    error.retry_after_s = 5;
    return to->Reply(ErrorResponse(error));
  }
  const openai::Caller caller{request.id, request.tenant};
  try {
    auto call = api.Start(endpoint, request.body, caller, std::make_shared<Sink>(this, job));
    const std::lock_guard lock(mutex_);
    job->call = std::move(call);
  } catch (...) {
    Change(job, "failed", MakeError(500, "internal error", "internal_error").Json(), 500);
    throw;
  }
  Response response{202, fmt::format(R"({{"id":"{}","object":"job","created":{},"status":"{}"}})",
                                     job->id, job->created, kRunning)};
  response.fields.emplace_back("Location", "/v1/jobs/" + job->id);
  to->Reply(std::move(response));
}

std::shared_ptr<Jobs::Job> Jobs::Find(const Request& request) const {
  const auto found = jobs_.find(request.parameter);
  if (found == jobs_.end() || found->second->tenant != request.tenant) return nullptr;
  return found->second;
}

void Jobs::AnswerPolls(const std::shared_ptr<Job>& job, Clock::time_point now, bool news) {
  std::vector<std::pair<std::shared_ptr<Exchange>, std::string>> answers;
  {
    const std::lock_guard lock(mutex_);
    auto& polls = job->polls;
    const auto done = std::stable_partition(polls.begin(), polls.end(), [&](const Poll& poll) {
      const bool has_news = news && (!job->Running() || poll.after < job->chunks.size());
      return !has_news && now < poll.until;
    });
    for (auto poll = done; poll != polls.end(); ++poll) {
      answers.emplace_back(poll->to, Text(*job, poll->after));
    }
    if (done != polls.end() && !job->Running()) job->fetched = true;
    polls.erase(done, polls.end());
  }
  for (auto& [to, text] : answers) to->Reply({200, std::move(text)});
}

void Jobs::Get(const std::shared_ptr<Exchange>& to, std::chrono::seconds wait, size_t after) {
  std::shared_ptr<Job> job;
  {
    const std::lock_guard lock(mutex_);
    job = Find(to->request());
    if (job) {
      const auto until =
          Clock::now() + std::clamp(wait, std::chrono::seconds(0), limits_.longest_wait);
      job->polls.push_back({to, until, std::min(after, job->chunks.size())});
    }
  }
  if (!job) return to->Reply(ErrorResponse(NoSuchJob()));
  AnswerPolls(job, Clock::now(), true);
}

void Jobs::Delete(const std::shared_ptr<Exchange>& to) {
  std::shared_ptr<Job> job;
  std::shared_ptr<openai::Call> call;
  std::string text;
  {
    const std::lock_guard lock(mutex_);
    job = Find(to->request());
    if (job && job->Running()) {
      call = job->call;
      job->state = "cancelled";
      job->ended = Clock::now();
      job->fetched = true;
    } else if (job) {
      bytes_ -= job->bytes;
      jobs_.erase(job->id);
    }
    if (job) text = Text(*job, job->chunks.size());
  }
  if (!job) return to->Reply(ErrorResponse(NoSuchJob()));
  if (call) call->Cancel();
  AnswerPolls(job, Clock::now(), true);
  to->Reply({200, std::move(text)});
}

void Jobs::Change(const std::shared_ptr<Job>& job, const char* state, std::string text,
                  int status) {
  {
    const std::lock_guard lock(mutex_);
    if (!job->Running()) return;
    job->state = state;
    job->status = status;
    job->ended = Clock::now();
    if (text.size() + job->bytes > limits_.job_bytes) {
      job->state = "failed";
      job->status = 500;
      text = MakeError(500, "the answer is larger than a job may keep", "too_large").Json();
    }
    job->bytes += text.size();
    bytes_ += text.size();
    job->response = std::move(text);
  }
  AnswerPolls(job, Clock::now(), true);
}

void Jobs::AddChunk(const std::shared_ptr<Job>& job, std::string json) {
  std::shared_ptr<openai::Call> too_much;
  {
    const std::lock_guard lock(mutex_);
    if (!job->Running()) return;
    if (job->bytes + json.size() > limits_.job_bytes) {
      too_much = job->call;
      job->state = "failed";
      job->status = 500;
      job->ended = Clock::now();
      job->response =
          MakeError(500, "the answer is larger than a job may keep", "too_large").Json();
    } else {
      job->bytes += json.size();
      bytes_ += json.size();
      job->chunks.push_back(std::move(json));
    }
  }
  if (too_much) too_much->Cancel();
  AnswerPolls(job, Clock::now(), true);
}

void Jobs::Tick() {
  const auto now = Clock::now();
  std::vector<std::shared_ptr<Job>> polled;
  std::vector<std::shared_ptr<Job>> dropped;        // ended outside of the lock
  std::vector<std::shared_ptr<openai::Call>> over;  // likewise
  {
    const std::lock_guard lock(mutex_);
    for (auto at = jobs_.begin(); at != jobs_.end();) {
      const std::shared_ptr<Job>& job = at->second;
      if (!job->polls.empty()) polled.push_back(job);
      if (!job->Running() && job->call) over.push_back(std::move(job->call));
      if (!job->Running() && now - job->ended > limits_.age) {
        bytes_ -= job->bytes;
        dropped.push_back(job);
        at = jobs_.erase(at);
      } else {
        ++at;
      }
    }
  }
  for (const auto& job : polled) AnswerPolls(job, now, false);
}

bool Jobs::Busy() const {
  const auto now = Clock::now();
  const std::lock_guard lock(mutex_);
  return std::any_of(jobs_.begin(), jobs_.end(), [&](const auto& entry) {
    const Job& job = *entry.second;
    return job.Running() || (!job.fetched && now - job.ended < limits_.collect_time);
  });
}

}  // namespace tenon::apps::server
