// SPDX-License-Identifier: Apache-2.0
#include "apps/compare/statistics.h"

#include <algorithm>
#include <boost/math/distributions/normal.hpp>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <utility>

namespace tenon::apps {
namespace {

constexpr int kResamples = 4000;
constexpr double kPower = 0.8;

double NormalQuantile(double p) { return boost::math::quantile(boost::math::normal(), p); }

// The lower tail at which the percentiles of the bootstrap distribution have coverage 1 - alpha.
double ExpandedTail(double alpha, size_t n) {
  const double degrees = static_cast<double>(n - 1);
  const double t = boost::math::quantile(boost::math::students_t(degrees), alpha / 2);
  return boost::math::cdf(boost::math::normal(), t * std::sqrt((degrees + 1) / degrees));
}

double Percentile(const std::vector<double>& sorted, double p) {
  const double at = p * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<size_t>(at);
  const double next = sorted[std::min(below + 1, sorted.size() - 1)];
  return sorted[below] + (at - static_cast<double>(below)) * (next - sorted[below]);
}

Estimate Unknown(double value, size_t n) {
  const double infinite = std::numeric_limits<double>::infinity();
  return {value, -infinite, infinite, infinite, static_cast<int32_t>(n)};
}

// The interval of a statistic of n samples from what it came to in the resamples.
Estimate IntervalOf(double value, std::vector<double> resampled, size_t n, double alpha) {
  std::sort(resampled.begin(), resampled.end());
  const double tail = ExpandedTail(alpha, n);
  const double mean = std::accumulate(resampled.begin(), resampled.end(), 0.0) / kResamples;
  double square = 0;
  for (const double one : resampled) square += (one - mean) * (one - mean);
  const double degrees = static_cast<double>(n - 1);
  const double error = std::sqrt(square / kResamples * static_cast<double>(n) / degrees);
  const boost::math::students_t t(degrees);
  const double detectable =
      error * (boost::math::quantile(t, 1 - alpha / 2) + boost::math::quantile(t, kPower));
  // Of few samples percentiles know too little of the tails: never narrower than Student's
  // interval.
  const double half = error * boost::math::quantile(t, 1 - alpha / 2);
  return {value, std::min(Percentile(resampled, tail), value - half),
          std::max(Percentile(resampled, 1 - tail), value + half), detectable,
          static_cast<int32_t>(n)};
}

// Bootstraps `statistic(indices)` over n samples.
template <typename Statistic>
Estimate Bootstrap(size_t n, double alpha, Statistic statistic) {
  std::vector<size_t> indices(n);
  std::iota(indices.begin(), indices.end(), size_t{0});
  const double value = n > 0 ? statistic(indices) : 0;
  if (n < 2) return Unknown(value, n);
  std::mt19937_64 random(20240229);
  std::uniform_int_distribution<size_t> pick(0, n - 1);
  std::vector<double> resampled(kResamples);
  for (double& one : resampled) {
    for (size_t& index : indices) index = pick(random);
    one = statistic(indices);
  }
  return IntervalOf(value, std::move(resampled), n, alpha);
}

double Mean(const std::vector<double>& values) {
  if (values.empty()) return 0;
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double MeanOfResample(const std::vector<double>& values, std::mt19937_64& random) {
  std::uniform_int_distribution<size_t> pick(0, values.size() - 1);
  double sum = 0;
  for (size_t i = 0; i < values.size(); ++i) sum += values[pick(random)];
  return sum / static_cast<double>(values.size());
}

// Bootstraps `statistic(mean of a, mean of b)` of independent samples.
template <typename Statistic>
Estimate BootstrapTwo(const std::vector<double>& a, const std::vector<double>& b, double alpha,
                      Statistic statistic) {
  const size_t n = std::min(a.size(), b.size());
  const double value = n > 0 ? statistic(Mean(a), Mean(b)) : 0;
  if (n < 2) return Unknown(value, n);
  std::mt19937_64 random(20240229);
  std::vector<double> resampled(kResamples);
  for (double& one : resampled) {
    const double of_a = MeanOfResample(a, random);
    one = statistic(of_a, MeanOfResample(b, random));
  }
  return IntervalOf(value, std::move(resampled), n, alpha);
}

double LogSum(const float* x, int64_t count) {
  const double largest = *std::max_element(x, x + count);
  double sum = 0;
  for (int64_t i = 0; i < count; ++i) sum += std::exp(x[i] - largest);
  return largest + std::log(sum);
}

}  // namespace

Estimate MeanOf(const std::vector<double>& samples, double alpha) {
  return Bootstrap(samples.size(), alpha, [&](const std::vector<size_t>& indices) {
    double sum = 0;
    for (const size_t i : indices) sum += samples[i];
    return sum / static_cast<double>(indices.size());
  });
}

Estimate RatioOf(const std::vector<double>& numerators, const std::vector<double>& denominators,
                 double alpha) {
  return Bootstrap(numerators.size(), alpha, [&](const std::vector<size_t>& indices) {
    double above = 0, below = 0;
    for (const size_t i : indices) {
      above += numerators[i];
      below += denominators[i];
    }
    return below > 0 ? above / below : 0;
  });
}

Estimate DifferenceOf(const std::vector<double>& a, const std::vector<double>& b, double alpha) {
  return BootstrapTwo(a, b, alpha, [](double of_a, double of_b) { return of_a - of_b; });
}

Estimate RatioOfMeans(const std::vector<double>& a, const std::vector<double>& b, double alpha) {
  return BootstrapTwo(a, b, alpha,
                      [](double of_a, double of_b) { return of_b > 0 ? of_a / of_b : 0; });
}

Estimate ShareOf(int64_t k, int64_t n, double alpha) {
  if (n == 0) return Unknown(0, 0);
  const double z = NormalQuantile(1 - alpha / 2), count = static_cast<double>(n);
  const double p = static_cast<double>(k) / count;
  const double middle = (p + z * z / (2 * count)) / (1 + z * z / count);
  const double half =
      z / (1 + z * z / count) * std::sqrt(p * (1 - p) / count + z * z / (4 * count * count));
  return {p, std::max(0.0, middle - half), std::min(1.0, middle + half), 0,
          static_cast<int32_t>(n)};
}

Estimate WiderOf(const Estimate& one, const Estimate& other) {
  return {one.value, std::min(one.low, other.low), std::max(one.high, other.high),
          std::max(one.detectable, other.detectable), std::min(one.samples, other.samples)};
}

double MedianOf(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

double KlDivergence(const float* a, const float* b, int64_t count) {
  const double sum_a = LogSum(a, count), sum_b = LogSum(b, count);
  double divergence = 0;
  for (int64_t i = 0; i < count; ++i) {
    const double log_a = a[i] - sum_a;
    if (std::isinf(log_a)) continue;
    divergence += std::exp(log_a) * (log_a - (b[i] - sum_b));
  }
  return std::max(divergence, 0.0);
}

}  // namespace tenon::apps
