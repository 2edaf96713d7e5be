// SPDX-License-Identifier: Apache-2.0
#include "apps/batch/batch.h"

#include <chrono>
#include <condition_variable>
#include <deque>
#include <fstream>
#include <map>
#include <memory>
#include <mutex>
#include <unordered_set>
#include <utility>

#include "apps/batch/batch_output.h"
#include "apps/batch/progress.h"
#include "fmt/format.h"

namespace tenon::apps::batch {
namespace {

constexpr size_t kMaxLineBytes = size_t{64} << 20;
constexpr auto kStopLatency = std::chrono::milliseconds(100);

struct Done {
  int64_t number;
  int status;
  std::string body;
};

// What calls have answered, for the thread that writes.
class Answers {
 public:
  void Put(Done done) {
    {
      const std::lock_guard lock(mutex_);
      done_.push_back(std::move(done));
    }
    changed_.notify_one();
  }

  // The next, or none within a short while.
  bool Take(bool wait, Done* done) {
    std::unique_lock lock(mutex_);
    if (wait) changed_.wait_for(lock, kStopLatency, [&] { return !done_.empty(); });
    if (done_.empty()) return false;
    *done = std::move(done_.front());
    done_.pop_front();
    return true;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Done> done_;
};

class AnswerSink final : public openai::ReplySink {
 public:
  AnswerSink(std::shared_ptr<Answers> answers, int64_t number)
      : answers_(std::move(answers)), number_(number) {}
  void Whole(std::string json) override { answers_->Put({number_, 200, std::move(json)}); }
  void Chunk(std::string) override {}
  void End() override {}
  void Fail(const openai::ApiError& error) override {
    answers_->Put({number_, error.status, error.Json()});
  }

 private:
  const std::shared_ptr<Answers> answers_;
  const int64_t number_;
};

int64_t CountLines(std::ifstream& input) {
  int64_t lines = 0;
  std::string line;
  while (std::getline(input, line)) lines += line.empty() ? 0 : 1;
  input.clear();
  input.seekg(0);
  return lines;
}

class Batch {
 public:
  Batch(openai::Api& api, const BatchOptions& options, BatchOutput& output, std::ifstream& input)
      : api_(api), options_(options), output_(output), input_(input) {}

  Result<BatchSummary> Run() {
    summary_.lines = CountLines(input_);
    Progress progress(options_.progress, summary_.lines);
    while (!Stopped()) {
      while (!ended_ && !Stopped() && running_.size() < static_cast<size_t>(options_.in_flight)) {
        TENON_RETURN_IF_ERROR(StartNext());
        TENON_RETURN_IF_ERROR(WriteDone(false));
        progress.Show(Answered(), summary_.skipped, summary_.failed);
      }
      if (ended_ && running_.empty()) break;
      TENON_RETURN_IF_ERROR(WriteDone(true));
      progress.Show(Answered(), summary_.skipped, summary_.failed);
    }
    progress.End();
    summary_.stopped = !ended_ || !running_.empty();
    for (const auto& [number, running] : running_) running.call->Cancel();
    TENON_RETURN_IF_ERROR(WriteDone(false));
    TENON_RETURN_IF_ERROR(output_.Sync());
    summary_.seconds = progress.Seconds();
    return summary_;
  }

 private:
  struct Running {
    BatchLine line;
    std::shared_ptr<openai::Call> call;
  };

  bool Stopped() const { return options_.stop != nullptr && *options_.stop; }
  int64_t Answered() const { return summary_.succeeded + summary_.failed; }

  // Reads a line and asks what it asks.
  Result<void> StartNext() {
    std::string text;
    if (!std::getline(input_, text)) {
      ended_ = true;
      if (!input_.bad()) return {};
      return Error{Status::kIo, options_.input + ": reading failed"};
    }
    ++number_;
    if (!text.empty() && text.back() == '\r') text.pop_back();
    if (text.empty()) return {};
    BatchLine line;
    if (text.size() > kMaxLineBytes) {
      line.number = number_;
      line.problem =
          fmt::format("it has {} MiB; at most {} allowed", text.size() >> 20, kMaxLineBytes >> 20);
    } else {
      line = ReadLine(text, number_);
    }
    if (!line.custom_id.empty() && !seen_.insert(line.custom_id).second) {
      line.problem = "its custom_id is that of an earlier line";
      line.custom_id.clear();
    }
    if (output_.Has(line)) {
      ++summary_.skipped;
      return {};
    }
    if (!line.problem.empty()) {
      ++summary_.failed;
      return output_.Append(line, AnswerOfProblem(line));
    }
    auto sink = std::make_shared<AnswerSink>(answers_, number_);
    const openai::Caller caller{fmt::format("batch-{}", number_), {}};
    const std::string body = std::exchange(line.body, {});
    Running& running = running_[number_];
    running.line = std::move(line);
    running.call = api_.Start(running.line.endpoint, body, caller, std::move(sink));
    return {};
  }

  // Writes what is answered; waits for something where `wait` is set.
  Result<void> WriteDone(bool wait) {
    Done done;
    for (; answers_->Take(wait, &done); wait = false) {
      const auto at = running_.find(done.number);
      if (at == running_.end()) continue;
      ++(done.status == 200 ? summary_.succeeded : summary_.failed);
      TENON_RETURN_IF_ERROR(
          output_.Append(at->second.line, AnswerOf(at->second.line, done.status, done.body)));
      running_.erase(at);
    }
    return {};
  }

  openai::Api& api_;
  const BatchOptions& options_;
  BatchOutput& output_;
  std::ifstream& input_;
  const std::shared_ptr<Answers> answers_ = std::make_shared<Answers>();
  std::map<int64_t, Running> running_;  // by line
  std::unordered_set<std::string> seen_;
  BatchSummary summary_;
  int64_t number_ = 0;
  bool ended_ = false;  // the input
};

}  // namespace

Result<BatchSummary> RunBatch(openai::Api& api, const BatchOptions& options) {
  std::ifstream input(options.input, std::ios::binary);
  if (!input || input.peek() == std::ifstream::traits_type::eof()) {
    if (!input.is_open() || input.bad()) {
      return Error{Status::kNotFound, options.input + ": cannot be read as a file"};
    }
    input.clear();
  }
  auto output = BatchOutput::Open(options.output);
  TENON_RETURN_IF_ERROR(output);
  return Batch(api, options, **output, input).Run();
}

}  // namespace tenon::apps::batch
