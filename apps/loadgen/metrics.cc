// SPDX-License-Identifier: Apache-2.0
#include "apps/loadgen/metrics.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace tenon::apps {
namespace {

constexpr double kMsPerSecond = 1000;
constexpr double kMostSeconds = 1e6;  // that are kept one by one

// Seconds for each token after the first; 0 where there is only one.
double PerToken(const LoadResult& result) {
  if (result.output_tokens < 2) return 0;
  return (result.latency_s - result.first_s) / static_cast<double>(result.output_tokens - 1);
}

bool IsGood(const LoadResult& result, const Goals& goals) {
  const auto holds = [](const std::optional<double>& goal, double seconds) {
    return !goal || seconds * kMsPerSecond <= *goal;
  };
  return holds(goals.ttft, result.first_s) && holds(goals.tpot, PerToken(result)) &&
         holds(goals.e2el, result.latency_s);
}

// The largest number of half-open intervals [start, start + latency) that overlap.
int64_t PeakConcurrency(const std::vector<LoadResult>& results) {
  std::vector<std::pair<double, int>> events;
  for (const LoadResult& result : results) {
    if (result.outcome == LoadOutcome::kUnsent) continue;
    events.emplace_back(result.start_s, 1);
    events.emplace_back(result.start_s + result.latency_s, -1);
  }
  std::sort(events.begin(), events.end());
  int64_t now = 0, peak = 0;
  for (const auto& [when, change] : events) peak = std::max(peak, now += change);
  return peak;
}

// A request's tokens, spread evenly over the chunks that brought them.
void AddTokens(const LoadResult& result, std::vector<Second>& seconds) {
  const double each =
      static_cast<double>(result.output_tokens) / static_cast<double>(result.gaps_s.size() + 1);
  double when = result.start_s + result.first_s;
  const auto add = [&] {
    const auto at = static_cast<size_t>(std::max(when, 0.0));
    if (at < seconds.size()) seconds[at].output_tokens += each;
  };
  add();
  for (const float gap : result.gaps_s) {
    when += gap;
    add();
  }
}

void AddPresence(const LoadResult& result, std::vector<Second>& seconds) {
  const double end = result.start_s + result.latency_s;
  for (auto at = static_cast<size_t>(result.start_s); at < seconds.size(); ++at) {
    const auto from = static_cast<double>(at);
    if (from >= end) break;
    seconds[at].running += std::min(end, from + 1) - std::max(result.start_s, from);
  }
}

std::vector<Second> SecondBySecond(const std::vector<LoadResult>& results, double duration_s) {
  std::vector<Second> seconds(static_cast<size_t>(std::min(duration_s, kMostSeconds)) + 1);
  for (const LoadResult& result : results) {
    if (result.outcome == LoadOutcome::kUnsent) continue;
    AddPresence(result, seconds);
    if (result.outcome == LoadOutcome::kCompleted) AddTokens(result, seconds);
  }
  return seconds;
}

struct Samples {
  std::vector<double> ttft, tpot, itl, e2el, waited;
};

void AddCompleted(const LoadResult& result, LoadMetrics& out, Samples& samples) {
  ++out.completed;
  out.total_input += result.input_tokens;
  out.total_output += result.output_tokens;
  out.total_cached += std::max<int64_t>(result.cached_tokens, 0);
  samples.ttft.push_back(result.first_s * kMsPerSecond);
  if (result.output_tokens > 1) samples.tpot.push_back(PerToken(result) * kMsPerSecond);
  for (const float gap : result.gaps_s) samples.itl.push_back(gap * kMsPerSecond);
  samples.e2el.push_back(result.latency_s * kMsPerSecond);
  samples.waited.push_back(result.waited_s * kMsPerSecond);
}

void AddFailed(const LoadResult& result, LoadMetrics& out) {
  ++out.failed;
  ErrorCount& error = out.errors[result.error];
  if (error.count++ == 0) error.example = result.message;
}

void AddRates(LoadMetrics& out, int64_t good, const Goals& goals) {
  const auto rate = [&](int64_t count) {
    return out.duration_s > 0 ? static_cast<double>(count) / out.duration_s : 0.0;
  };
  out.request_throughput = rate(out.completed);
  out.output_throughput = rate(out.total_output);
  out.total_token_throughput = rate(out.total_input + out.total_output);
  if (goals.Any()) out.request_goodput = rate(good);
}

}  // namespace

double PercentileOf(const std::vector<double>& ascending, double p) {
  if (ascending.empty()) return 0;
  const double at = std::clamp(p, 0.0, 100.0) / 100 * static_cast<double>(ascending.size() - 1);
  const auto below = static_cast<size_t>(at);
  const size_t above = std::min(below + 1, ascending.size() - 1);
  return std::lerp(ascending[below], ascending[above], at - static_cast<double>(below));
}

Distribution DistributionOf(std::vector<double> values, const std::vector<double>& percentiles) {
  Distribution out;
  std::sort(values.begin(), values.end());
  out.values = std::move(values);
  for (const double p : percentiles) out.percentiles.emplace_back(p, PercentileOf(out.values, p));
  if (out.values.empty()) return out;
  const auto count = static_cast<double>(out.values.size());
  out.mean = std::accumulate(out.values.begin(), out.values.end(), 0.0) / count;
  out.median = PercentileOf(out.values, 50);
  double squares = 0;
  for (const double value : out.values) squares += (value - out.mean) * (value - out.mean);
  out.deviation = std::sqrt(squares / count);
  return out;
}

LoadMetrics Measure(const std::vector<LoadResult>& results, double duration_s, const Goals& goals,
                    const std::vector<double>& percentiles) {
  LoadMetrics out;
  out.duration_s = duration_s;
  Samples samples;
  int64_t good = 0;
  for (const LoadResult& result : results) {
    out.unsent += result.outcome == LoadOutcome::kUnsent;
    out.interrupted += result.outcome == LoadOutcome::kDropped;
    if (result.outcome == LoadOutcome::kFailed) AddFailed(result, out);
    if (result.outcome != LoadOutcome::kCompleted) continue;
    AddCompleted(result, out, samples);
    good += IsGood(result, goals);
  }
  AddRates(out, good, goals);
  out.ttft = DistributionOf(std::move(samples.ttft), percentiles);
  out.tpot = DistributionOf(std::move(samples.tpot), percentiles);
  out.itl = DistributionOf(std::move(samples.itl), percentiles);
  out.e2el = DistributionOf(std::move(samples.e2el), percentiles);
  out.waited = DistributionOf(std::move(samples.waited), percentiles);
  out.max_concurrent_requests = PeakConcurrency(results);
  out.seconds = SecondBySecond(results, duration_s);
  for (const Second& second : out.seconds) {
    out.max_output_tokens_per_s = std::max(out.max_output_tokens_per_s, second.output_tokens);
  }
  return out;
}

}  // namespace tenon::apps
