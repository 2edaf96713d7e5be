// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include "apps/loadgen/report.h"
#include "apps/report/page.h"
#include "apps/report/svg.h"
#include "fmt/format.h"

namespace tenon::apps {
namespace {

constexpr double kLeft = 60, kRight = kSvgWidth - 20;  // of a plot's frame
constexpr double kTop = 12, kBottom = 172, kHeight = 200;
constexpr size_t kBars = 60;

std::string Frame(const std::string& low, const std::string& high, double most) {
  return SvgOpen(kHeight) + SvgBox(kLeft, kTop, kRight - kLeft, kBottom - kTop, "frame") +
         SvgText(kLeft, kBottom + 18, "start", low) + SvgText(kRight, kBottom + 18, "end", high) +
         SvgText(kLeft - 6, kTop + 10, "end", fmt::format("{:.4g}", most)) +
         SvgText(kLeft - 6, kBottom, "end", "0");
}

std::string Bars(const std::vector<double>& heights, double most) {
  std::string out;
  const double width = (kRight - kLeft) / static_cast<double>(heights.size());
  for (size_t i = 0; i < heights.size(); ++i) {
    if (heights[i] <= 0) continue;
    const double height = (kBottom - kTop) * heights[i] / most;
    out += SvgBox(kLeft + width * static_cast<double>(i), kBottom - height,
                  std::max(width - 1, 0.3), height, "a");
  }
  return out;
}

double Largest(const std::vector<double>& values) {
  return std::max(*std::max_element(values.begin(), values.end()), 1e-9);
}

// How many samples fall where, from the least to the largest.
std::string Histogram(const Distribution& of) {
  if (of.values.empty()) return "<p>no samples</p>\n";
  const double low = of.values.front(), high = of.values.back();
  std::vector<double> counts(high > low ? kBars : 1, 0.0);
  const auto place = [&](double value) { return high > low ? (value - low) / (high - low) : 0.5; };
  for (const double value : of.values) {
    const auto at = static_cast<size_t>(place(value) * static_cast<double>(counts.size()));
    ++counts[std::min(at, counts.size() - 1)];
  }
  const double most = Largest(counts);
  std::string out = Frame(fmt::format("{:.4g} ms", low), fmt::format("{:.4g} ms", high), most) +
                    Bars(counts, most);
  const double middle = kLeft + (kRight - kLeft) * place(of.median);
  out += SvgLine(middle, kTop, middle, kBottom, "axis");
  out += SvgText(middle, kBottom + 18, "middle", fmt::format("median {:.4g}", of.median));
  return out + "</svg>\n";
}

// One bar a second, or as many seconds as keep them visible.
std::string OverTime(const std::vector<Second>& seconds, double Second::*value) {
  const size_t each = (seconds.size() + 359) / 360;
  std::vector<double> bars((seconds.size() + each - 1) / each, 0.0);
  for (size_t i = 0; i < seconds.size(); ++i) {
    bars[i / each] += seconds[i].*value / static_cast<double>(each);
  }
  const double most = Largest(bars);
  return Frame("0 s", fmt::format("{} s", seconds.size()), most) + Bars(bars, most) + "</svg>\n";
}

std::string Line(const std::string& name, const std::string& value) {
  return "<tr><td>" + Escaped(name) + "</td><td>" + Escaped(value) + "</td></tr>\n";
}

std::string Totals(const LoadMetrics& metrics) {
  std::string out = "<table>\n";
  out += Line("completed requests", fmt::format("{}", metrics.completed));
  out += Line("failed requests", fmt::format("{}", metrics.failed));
  if (metrics.interrupted + metrics.unsent > 0) {
    out +=
        Line("interrupted, not sent", fmt::format("{}, {}", metrics.interrupted, metrics.unsent));
  }
  out += Line("duration", fmt::format("{:.2f} s", metrics.duration_s));
  out += Line("input tokens",
              fmt::format("{} ({} from the cache)", metrics.total_input, metrics.total_cached));
  out += Line("output tokens", fmt::format("{}", metrics.total_output));
  out += Line("requests a second", fmt::format("{:.3f}", metrics.request_throughput));
  if (metrics.request_goodput) {
    out += Line("good requests a second", fmt::format("{:.3f}", *metrics.request_goodput));
  }
  out += Line("output tokens a second", fmt::format("{:.1f}", metrics.output_throughput));
  out += Line("all tokens a second", fmt::format("{:.1f}", metrics.total_token_throughput));
  out += Line("most requests at once", fmt::format("{}", metrics.max_concurrent_requests));
  return out + "</table>\n";
}

std::string Errors(const LoadMetrics& metrics) {
  if (metrics.errors.empty()) return "";
  std::string out = "<h2>Errors</h2>\n<table><tr><th>kind</th><th>count, first message</th></tr>\n";
  for (const auto& [kind, error] : metrics.errors) {
    out += Line(kind, fmt::format("{}: {}", error.count, error.example));
  }
  return out + "</table>\n";
}

std::string Time(const char* title, const Distribution& of) {
  std::string heads, cells;
  const auto column = [&](const std::string& name, double value) {
    heads += "<th>" + name + "</th>";
    cells += fmt::format("<td>{:.2f}</td>", value);
  };
  column("mean", of.mean);
  column("median", of.median);
  column("deviation", of.deviation);
  for (const auto& [p, value] : of.percentiles) column(fmt::format("P{}", p), value);
  return fmt::format(
             "<h2>{}, "
             "ms</h2>\n<table><tr><th>samples</th>{}</tr>\n<tr><td>{}</td>{}</tr></table>\n",
             title, heads, of.values.size(), cells) +
         Histogram(of);
}

}  // namespace

std::string LoadHtml(const LoadSetting& setting, const LoadMetrics& metrics) {
  std::string out = PageHead("tenon bench-serve");
  out += "<h1>" + Escaped(setting.model + " at " + setting.url + setting.endpoint) + "</h1>\n";
  const auto or_none = [](double value) {
    return std::isfinite(value) ? fmt::format("{:g}", value) : std::string("unbounded");
  };
  out += fmt::format(
      "<p>{} requests of {}; rate {} a second, burstiness {}; at most {} at once; seed {}</p>\n",
      setting.prompts, Escaped(setting.dataset), or_none(setting.request_rate),
      or_none(setting.burstiness),
      setting.max_concurrency > 0 ? std::to_string(setting.max_concurrency) : "any number",
      setting.seed);
  out += Totals(metrics) + Errors(metrics);
  out += Time("Time to first token", metrics.ttft);
  out += Time("Time per output token", metrics.tpot);
  out += Time("Inter-token latency", metrics.itl);
  out += Time("End-to-end latency", metrics.e2el);
  out += "<h2>Output tokens a second</h2>\n" + OverTime(metrics.seconds, &Second::output_tokens);
  out += "<h2>Requests under way</h2>\n" + OverTime(metrics.seconds, &Second::running);
  return out + kPageEnd;
}

}  // namespace tenon::apps
