// SPDX-License-Identifier: Apache-2.0
#include "apps/loadgen/load.h"

#include <chrono>

#include "apps/loadgen/exchange.h"

namespace tenon::apps {
namespace {

using Clock = std::chrono::steady_clock;

constexpr double kTick = 0.1;  // seconds between looks at the clock and at `stop`

// A run, on one thread.
class Load {
 public:
  Load(const LoadOptions& options, const std::vector<LoadRequest>& requests)
      : options_(options),
        requests_(requests),
        io_(1),
        free_(io_),
        place_{options, {}, {}, {}, {}} {
    run_.results.resize(requests.size());
    place_.now = [this] { return std::chrono::duration<double>(Clock::now() - began_).count(); };
    place_.on_chunk = [this] { ++progress_.chunks; };
  }

  Result<LoadRun> Run(const volatile bool* stop,
                      const std::function<void(const LoadProgress&)>& progress) {
    auto addresses = FindAddresses();
    TENON_RETURN_IF_ERROR(addresses);
    place_.addresses = *addresses;
    began_ = Clock::now();
    net::co_spawn(io_, SendAll(), net::detached);
    io_.restart();
    while (progress_.completed + progress_.failed < static_cast<int64_t>(requests_.size())) {
      io_.run_for(Duration(kTick));
      progress_.seconds = place_.now();
      if (progress) progress(progress_);
      if (stop != nullptr && *stop) {
        run_.interrupted = true;
        break;
      }
    }
    run_.duration_s = run_.interrupted ? place_.now() : ended_s_;
    for (LoadResult& result : run_.results) {
      if (result.outcome == LoadOutcome::kDropped) {
        result.latency_s = run_.duration_s - result.start_s;
      }
    }
    return std::move(run_);
  }

 private:
  Result<Addresses> FindAddresses() {
    Result<Addresses> found = Error{Status::kIo, options_.target.url.host + ": not resolved"};
    net::co_spawn(
        io_, [&]() -> net::awaitable<void> { found = co_await Resolve(options_.target.url); },
        net::detached);
    io_.run();
    return found;
  }

  net::awaitable<void> SendAll() {
    net::steady_timer due(io_);
    for (size_t i = 0; i < requests_.size(); ++i) {
      if (options_.arrivals[i] > place_.now()) {
        due.expires_at(began_ + Duration(options_.arrivals[i]));
        co_await due.async_wait(kAsTuple);
      }
      while (options_.max_concurrency > 0 && progress_.running >= options_.max_concurrency) {
        free_.expires_at(Clock::time_point::max());
        co_await free_.async_wait(kAsTuple);
      }
      run_.results[i].waited_s = place_.now() - options_.arrivals[i];
      ++progress_.running;
      net::co_spawn(io_, SendOne(i), net::detached);
    }
  }

  net::awaitable<void> SendOne(size_t i) {
    LoadResult& result = run_.results[i];
    co_await Exchange(place_, requests_[i], result);
    --progress_.running;
    ++(result.outcome == LoadOutcome::kCompleted ? progress_.completed : progress_.failed);
    ended_s_ = place_.now();
    free_.cancel();
  }

  const LoadOptions& options_;
  const std::vector<LoadRequest>& requests_;
  LoadRun run_;
  LoadProgress progress_;
  Clock::time_point began_;
  double ended_s_ = 0;
  net::io_context io_;
  net::steady_timer free_;  // cancelled when a request ends
  ExchangePlace place_;     // its connections end before io_
};

}  // namespace

Result<LoadRun> RunLoad(const LoadOptions& options, const std::vector<LoadRequest>& requests,
                        const volatile bool* stop,
                        const std::function<void(const LoadProgress&)>& progress) {
  TENON_CHECK(options.arrivals.size() == requests.size());
  return Load(options, requests).Run(stop, progress);
}

}  // namespace tenon::apps
