// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tenon::apps::server {

// Counts of values by upper bound, as Prometheus has them.
class Histogram {
 public:
  explicit Histogram(std::span<const double> bounds)
      : bounds_(bounds), counts_(bounds.size() + 1) {}

  void Observe(double value, uint64_t times = 1);

 private:
  friend class MetricsText;
  std::span<const double> bounds_;  // ascending
  std::vector<uint64_t> counts_;    // by bound, the last beyond all
  double sum_ = 0;
};

// Writes Prometheus' text format 0.0.4. Each family's Begin comes before its samples.
class MetricsText {
 public:
  explicit MetricsText(std::string prefix) : prefix_(std::move(prefix)) {}  // such as "tenon:"

  using Labels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

  // `type`: counter, gauge or histogram. A name that begins with ":" gets no prefix.
  void Begin(std::string_view name, std::string_view type, std::string_view help);
  void Sample(Labels labels, double value);
  void Sample(Labels labels, const Histogram& histogram);

  std::string Take() { return std::move(text_); }

 private:
  void Line(std::string_view suffix, Labels labels, std::string_view bound, double value);

  const std::string prefix_;
  std::string name_;  // of the family
  std::string text_;
};

}  // namespace tenon::apps::server
