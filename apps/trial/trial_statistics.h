// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "apps/compare/statistics.h"

// Two pipelines that serve the same traffic: A, which serves, and B, which is tried beside it.
namespace tenon::apps::trial {

enum class Arm : uint8_t { kA, kB };

// How a request ended on an arm. kRefused: for a fault of its own; kFailed: for the engine's.
enum class RunEnd : uint8_t { kDone, kCancelled, kRefused, kFailed };

// What one request came to on one arm.
struct RunRecord {
  RunEnd end = RunEnd::kDone;
  std::string error;         // of kRefused and kFailed
  double first_token_s = 0;  // from the start to the first token (TTFT); 0: none came
  double per_token_s = 0;    // a token behind the first (TPOT); 0: there were none
  int64_t output_tokens = 0;
};

// Times of many requests, seconds. The quantiles are of a bounded sample.
struct Spread {
  int64_t count = 0;
  double mean = 0, p50 = 0, p99 = 0;
};

struct ArmCounts {
  int64_t begun = 0;
  int64_t done = 0, cancelled = 0, refused = 0, failed = 0;
  int64_t output_tokens = 0;
  std::string last_error;  // that failed one; refusals may quote what was asked
};

struct ArmSummary {
  ArmCounts counts;
  Spread first_token, per_token;
};

// Of one kind of time: how much longer B takes than A, on average.
struct Slowdown {
  Estimate seconds;   // B − A
  Estimate relative;  // B / A − 1
};

// Outputs of requests that ran on both arms.
struct OutputSummary {
  int64_t compared = 0;
  int64_t identical = 0;
  Estimate identical_share;
  // Where the others first differ, by token index: below 1, 2, 4, 8, ... ; the last: all beyond.
  std::array<int64_t, 16> first_difference{};
  double first_difference_median = 0;  // of a bounded sample
};

struct Summary {
  ArmSummary a, b;
  Slowdown first_token, per_token;
  OutputSummary outputs;
  int64_t not_shadowed = 0;  // too many shadows were open
};

// A uniform sample of bounded size of all values so far. Vitter 1985, algorithm R.
template <typename T, size_t kMost = 512>
class Reservoir {
 public:
  void Add(T value) {
    ++seen_;
    if (values_.size() < kMost) return values_.push_back(value);
    const uint64_t at = std::uniform_int_distribution<uint64_t>(0, seen_ - 1)(random_);
    if (at < kMost) values_[at] = value;
  }
  const std::vector<T>& values() const { return values_; }

 private:
  std::vector<T> values_;
  uint64_t seen_ = 0;
  std::mt19937_64 random_{20240229};
};

// What both arms did so far. Reads no clock. Thread: any.
class TrialStatistics {
 public:
  // `paired`: B runs A's requests again, so that times are compared request by request; else each
  // request ran on one arm.
  explicit TrialStatistics(bool paired) : paired_(paired) {}

  void Begin(Arm arm);
  void End(Arm arm, const RunRecord& record);
  // Both arms did one request. `first_difference`: index of the first token that differs; -1: none.
  void Compare(const RunRecord& a, const RunRecord& b, int64_t first_difference);
  void CountNotShadowed();

  ArmCounts Counts(Arm arm) const;
  // How many requests its slowdowns are judged by: the fewer of both arms' that were done.
  int64_t Samples() const;
  // With intervals of coverage 1 − alpha. Takes about a tenth of a second.
  Summary Sum(double alpha) const;

 private:
  struct Times {
    int64_t count = 0;
    double sum = 0;
    Reservoir<double> sample;
    void Add(double seconds);
    Spread Sum() const;
  };
  struct OfArm {
    ArmCounts counts;
    Times first_token, per_token;
  };
  using Pairs = Reservoir<std::pair<double, double>>;

  static Slowdown PairedSlowdown(const Pairs& pairs, double alpha);
  static Slowdown SlowdownOf(const Times& a, const Times& b, double alpha);

  const bool paired_;
  mutable std::mutex mutex_;
  std::array<OfArm, 2> arms_;
  Pairs first_tokens_, per_tokens_;
  OutputSummary outputs_;
  Reservoir<double> differences_;
  int64_t not_shadowed_ = 0;
};

}  // namespace tenon::apps::trial
