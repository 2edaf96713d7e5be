// SPDX-License-Identifier: Apache-2.0
#include "apps/server/metrics_text.h"

#include <algorithm>

#include "fmt/format.h"

namespace tenon::apps::server {
namespace {

std::string Escaped(std::string_view value) {
  std::string out;
  for (const char c : value) {
    if (c == '\\' || c == '"') out.push_back('\\');
    if (c == '\n') {
      out += "\\n";
    } else {
      out.push_back(c);
    }
  }
  return out;
}

// As clients of Prometheus write floats: "1.0", "0.25".
std::string BoundText(double bound) {
  std::string text = fmt::format("{}", bound);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

}  // namespace

void Histogram::Observe(double value, uint64_t times) {
  const auto bound = std::lower_bound(bounds_.begin(), bounds_.end(), value);
  counts_[static_cast<size_t>(bound - bounds_.begin())] += times;
  sum_ += value * static_cast<double>(times);
}

void MetricsText::Begin(std::string_view name, std::string_view type, std::string_view help) {
  name_ = name.starts_with(':') ? std::string(name.substr(1)) : prefix_ + std::string(name);
  text_ += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name_, help, name_, type);
}

void MetricsText::Line(std::string_view suffix, Labels labels, std::string_view bound,
                       double value) {
  text_ += name_;
  text_ += suffix;
  char open = '{';
  for (const auto& [name, label] : labels) {
    text_ += fmt::format("{}{}=\"{}\"", std::exchange(open, ','), name, Escaped(label));
  }
  if (!bound.empty()) text_ += fmt::format("{}le=\"{}\"", std::exchange(open, ','), bound);
  if (open == ',') text_ += '}';
  text_ += fmt::format(" {}\n", value);
}

void MetricsText::Sample(Labels labels, double value) { Line("", labels, "", value); }

void MetricsText::Sample(Labels labels, const Histogram& histogram) {
  uint64_t total = 0;
  for (size_t i = 0; i < histogram.counts_.size(); ++i) {
    total += histogram.counts_[i];
    const std::string bound =
        i < histogram.bounds_.size() ? BoundText(histogram.bounds_[i]) : "+Inf";
    Line("_bucket", labels, bound, static_cast<double>(total));
  }
  Line("_sum", labels, "", histogram.sum_);
  Line("_count", labels, "", static_cast<double>(total));
}

}  // namespace tenon::apps::server
