// SPDX-License-Identifier: Apache-2.0
#include "apps/trial/trial_statistics.h"

#include <algorithm>
#include <bit>

namespace tenon::apps::trial {
namespace {

double Quantile(const std::vector<double>& sorted, double p) {
  if (sorted.empty()) return 0;
  return sorted[std::min(sorted.size() - 1,
                         static_cast<size_t>(p * static_cast<double>(sorted.size())))];
}

// Bucket i holds what is below 2^i and not in an earlier one.
size_t BucketOf(int64_t token, size_t buckets) {
  return std::min<size_t>(std::bit_width(static_cast<uint64_t>(token)), buckets - 1);
}

Estimate Less1(Estimate ratio) {
  return {ratio.value - 1, ratio.low - 1, ratio.high - 1, ratio.detectable, ratio.samples};
}

}  // namespace

void TrialStatistics::Times::Add(double seconds) {
  if (seconds <= 0) return;
  ++count;
  sum += seconds;
  sample.Add(seconds);
}

Spread TrialStatistics::Times::Sum() const {
  std::vector<double> sorted = sample.values();
  std::sort(sorted.begin(), sorted.end());
  return {count, count > 0 ? sum / static_cast<double>(count) : 0, MedianOf(sorted),
          Quantile(sorted, 0.99)};
}

void TrialStatistics::Begin(Arm arm) {
  const std::lock_guard lock(mutex_);
  ++arms_[static_cast<size_t>(arm)].counts.begun;
}

void TrialStatistics::End(Arm arm, const RunRecord& record) {
  const std::lock_guard lock(mutex_);
  OfArm& of = arms_[static_cast<size_t>(arm)];
  of.counts.output_tokens += record.output_tokens;
  switch (record.end) {
    case RunEnd::kDone:
      ++of.counts.done;
      of.first_token.Add(record.first_token_s);
      of.per_token.Add(record.per_token_s);
      break;
    case RunEnd::kCancelled:
      ++of.counts.cancelled;
      break;
    case RunEnd::kRefused:
      ++of.counts.refused;
      break;
    case RunEnd::kFailed:
      ++of.counts.failed;
      of.counts.last_error = record.error;
      break;
  }
}

void TrialStatistics::Compare(const RunRecord& a, const RunRecord& b, int64_t first_difference) {
  const std::lock_guard lock(mutex_);
  if (a.first_token_s > 0 && b.first_token_s > 0) {
    first_tokens_.Add({a.first_token_s, b.first_token_s});
  }
  if (a.per_token_s > 0 && b.per_token_s > 0) per_tokens_.Add({a.per_token_s, b.per_token_s});
  ++outputs_.compared;
  if (first_difference < 0) {
    ++outputs_.identical;
  } else {
    ++outputs_.first_difference[BucketOf(first_difference, outputs_.first_difference.size())];
    differences_.Add(static_cast<double>(first_difference));
  }
}

void TrialStatistics::CountNotShadowed() {
  const std::lock_guard lock(mutex_);
  ++not_shadowed_;
}

ArmCounts TrialStatistics::Counts(Arm arm) const {
  const std::lock_guard lock(mutex_);
  return arms_[static_cast<size_t>(arm)].counts;
}

int64_t TrialStatistics::Samples() const {
  const std::lock_guard lock(mutex_);
  return paired_ ? outputs_.compared : std::min(arms_[0].counts.done, arms_[1].counts.done);
}

Slowdown TrialStatistics::PairedSlowdown(const Pairs& pairs, double alpha) {
  std::vector<double> a, b, differences;
  for (const auto& [of_a, of_b] : pairs.values()) {
    a.push_back(of_a);
    b.push_back(of_b);
    differences.push_back(of_b - of_a);
  }
  return {MeanOf(differences, alpha), Less1(RatioOf(b, a, alpha))};
}

Slowdown TrialStatistics::SlowdownOf(const Times& a, const Times& b, double alpha) {
  return {DifferenceOf(b.sample.values(), a.sample.values(), alpha),
          Less1(RatioOfMeans(b.sample.values(), a.sample.values(), alpha))};
}

Summary TrialStatistics::Sum(double alpha) const {
  // The intervals are worked out on copies, so that no request waits for them.
  std::unique_lock lock(mutex_);
  const std::array<OfArm, 2> arms = arms_;
  const Pairs first_tokens = first_tokens_, per_tokens = per_tokens_;
  Summary out;
  out.outputs = outputs_;
  out.outputs.first_difference_median = MedianOf(differences_.values());
  out.not_shadowed = not_shadowed_;
  lock.unlock();
  const OfArm &a = arms[0], &b = arms[1];
  out.a = {a.counts, a.first_token.Sum(), a.per_token.Sum()};
  out.b = {b.counts, b.first_token.Sum(), b.per_token.Sum()};
  if (paired_) {
    out.first_token = PairedSlowdown(first_tokens, alpha);
    out.per_token = PairedSlowdown(per_tokens, alpha);
  } else {
    out.first_token = SlowdownOf(a.first_token, b.first_token, alpha);
    out.per_token = SlowdownOf(a.per_token, b.per_token, alpha);
  }
  out.outputs.identical_share = ShareOf(out.outputs.identical, out.outputs.compared, alpha);
  return out;
}

}  // namespace tenon::apps::trial
