// SPDX-License-Identifier: Apache-2.0
#include "apps/record/replay.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>

#include "apps/record/observation.h"

namespace tenon::apps::record {
namespace {

constexpr auto kLook = std::chrono::milliseconds(50);  // how often a stop is looked for

// A request that was sent.
struct OnWay {
  OnWay(const RecordedRequest& from, Clock::time_point began)
      : recorded(from), observation(from.request, began) {}

  const RecordedRequest& recorded;
  Observation observation;
  // Under Replaying::mutex_.
  std::optional<uint64_t> number;  // the engine's, once it said so
  std::vector<int32_t> cancels;    // choices to end, from before that
};

class Replaying {
 public:
  Replaying(EngineClient& engine, std::span<const RecordedRequest> requests,
            const ReplayOptions& options)
      : engine_(engine), requests_(requests), options_(options) {
    run_.requests.resize(requests.size());
  }

  ReplayRun Run();

 private:
  using Time = Clock::time_point;

  int64_t Scaled(int64_t us) const {
    return std::isinf(options_.speed)
               ? 0
               : static_cast<int64_t>(static_cast<double>(us) / options_.speed);
  }
  void Send(size_t index);
  void Hear(size_t index, OnWay& way, const GenerateEvent& event);
  void CancelDue();
  void CancelAll();
  void WaitUntil(std::optional<Time> time);
  bool Stopped() const { return options_.stop != nullptr && *options_.stop; }

  EngineClient& engine_;
  const std::span<const RecordedRequest> requests_;
  const ReplayOptions& options_;
  const Time began_ = Clock::now();
  std::multimap<Time, std::weak_ptr<OnWay>> due_;  // to be cancelled before a first token
  int64_t sent_ = 0;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<size_t, std::shared_ptr<OnWay>> open_;
  int64_t ended_ = 0;
  ReplayRun run_;
};

ReplayRun Replaying::Run() {
  const int64_t first = requests_.empty() ? 0 : requests_.front().arrival_us;
  for (size_t i = 0; i < requests_.size() && !run_.stopped; ++i) {
    run_.requests[i].due_us = Scaled(requests_[i].arrival_us - first);
    const Time due = began_ + std::chrono::microseconds(run_.requests[i].due_us);
    while (Clock::now() < due && !Stopped()) WaitUntil(due);
    run_.stopped = Stopped();
    if (!run_.stopped) Send(i);
  }
  bool cancelled = false;
  for (bool open = true; open;) {
    if (Stopped() && !std::exchange(cancelled, true)) CancelAll();
    run_.stopped = run_.stopped || cancelled;
    WaitUntil(std::nullopt);
    const std::lock_guard lock(mutex_);
    open = !open_.empty();
  }
  run_.seconds = std::chrono::duration<double>(Clock::now() - began_).count();
  return std::move(run_);
}

// Until then, or a little longer than nothing where nobody says when; cancels what is due
// meanwhile.
void Replaying::WaitUntil(std::optional<Time> time) {
  const Time look = Clock::now() + kLook;
  Time until = time ? std::min(*time, look) : look;
  if (!due_.empty()) until = std::min(until, due_.begin()->first);
  int64_t ended = 0;
  {
    std::unique_lock lock(mutex_);
    const auto all_ended = [&] { return !time && open_.empty(); };
    changed_.wait_until(lock, until, all_ended);
    ended = ended_;
  }
  if (options_.progress) options_.progress({sent_, ended});
  CancelDue();
}

void Replaying::Send(size_t index) {
  const RecordedRequest& recorded = requests_[index];
  auto way = std::make_shared<OnWay>(recorded, began_);
  run_.requests[index].sent_us = way->observation.record().arrival_us;
  {
    const std::lock_guard lock(mutex_);
    open_.emplace(index, way);
  }
  const uint64_t number = engine_.Generate(
      recorded.request,
      [this, index, way](const GenerateEvent& event) { Hear(index, *way, event); });
  ++sent_;
  std::vector<int32_t> cancels;
  {
    const std::lock_guard lock(mutex_);
    way->number = number;
    cancels.swap(way->cancels);
  }
  for (const int32_t choice : cancels) engine_.Cancel(number, choice);
  if (recorded.cancel_us >= 0) {
    due_.emplace(way->observation.arrival() + std::chrono::microseconds(Scaled(recorded.cancel_us)),
                 way);
  }
  if (due_.size() > 0 && due_.begin()->first <= Clock::now()) CancelDue();
}

void Replaying::Hear(size_t index, OnWay& way, const GenerateEvent& event) {
  const bool last = way.observation.Hear(event);
  RecordedRequest& record = way.observation.record();
  const auto choice = static_cast<size_t>(event.choice);
  if (!last && event.finish == core::FinishReason::kNone && choice < record.choices.size()) {
    const RecordedChoice& before = way.recorded.choices[choice];
    if (before.end == End::kCancelled && !before.tokens.empty() &&
        record.choices[choice].tokens.size() >= before.tokens.size()) {
      std::unique_lock lock(mutex_);
      if (!way.number) return way.cancels.push_back(event.choice);
      const uint64_t number = *way.number;
      lock.unlock();
      engine_.Cancel(number, event.choice);
    }
  }
  if (!last) return;
  const std::lock_guard lock(mutex_);
  run_.requests[index].ended = true;
  run_.requests[index].choices = std::move(record.choices);
  open_.erase(index);
  ++ended_;
  changed_.notify_all();
}

// Those that nobody waited for any more before their first token.
void Replaying::CancelDue() {
  while (!due_.empty() && due_.begin()->first <= Clock::now()) {
    const auto way = due_.begin()->second.lock();
    due_.erase(due_.begin());
    if (way == nullptr) continue;
    const std::vector<RecordedChoice>& choices = way->recorded.choices;
    for (size_t i = 0; i < choices.size(); ++i) {
      if (choices[i].end != End::kCancelled || !choices[i].tokens.empty()) continue;
      engine_.Cancel(*way->number, static_cast<int32_t>(i));
    }
  }
}

void Replaying::CancelAll() {
  std::vector<uint64_t> numbers;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [index, way] : open_) numbers.push_back(*way->number);
  }
  for (const uint64_t number : numbers) engine_.Cancel(number, -1);
}

}  // namespace

ReplayRun Replay(EngineClient& engine, std::span<const RecordedRequest> requests,
                 const ReplayOptions& options) {
  return Replaying(engine, requests, options).Run();
}

}  // namespace tenon::apps::record
