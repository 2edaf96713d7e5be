// SPDX-License-Identifier: Apache-2.0
#include "apps/compare/svg.h"

#include <algorithm>
#include <cmath>

#include "apps/report/svg.h"
#include "fmt/format.h"

namespace tenon::apps {
namespace {

constexpr double kLabel = 180;  // columns of a plot's left margin

}  // namespace

std::string ForestPlot(const std::vector<ForestLine>& lines) {
  double most = 0.02;  // of |log ratio|
  for (const ForestLine& line : lines) {
    for (const double end : {line.low, line.high}) {
      if (std::isfinite(end) && end > 0) most = std::max(most, std::abs(std::log(end)));
    }
    for (const double sample : line.samples) most = std::max(most, std::abs(std::log(sample)));
  }
  const double middle = (kSvgWidth + kLabel) / 2, half = (kSvgWidth - kLabel) / 2 - 40;
  const auto at = [&](double ratio) {
    return middle + half * std::clamp(std::log(ratio) / most, -1.0, 1.0);
  };
  const double height = 46.0 * static_cast<double>(lines.size()) + 40;
  std::string out = SvgOpen(height);
  out += SvgLine(middle, 8, middle, height - 26, "axis");
  for (const double edge : {-most, -most / 2, 0.0, most / 2, most}) {
    out +=
        SvgText(at(std::exp(edge)), height - 8, "middle", fmt::format("{:.3g}×", std::exp(edge)));
  }
  for (size_t i = 0; i < lines.size(); ++i) {
    const double y = 30 + 46 * static_cast<double>(i);
    out += SvgText(kLabel - 8, y + 4, "end", lines[i].name);
    for (const double sample : lines[i].samples) out += SvgDot(at(sample), y + 12, 2.5, "sample");
    if (std::isfinite(lines[i].high) && lines[i].low > 0) {
      out += SvgLine(at(lines[i].low), y, at(lines[i].high), y, "interval");
    }
    out += SvgDot(at(lines[i].value), y, 5, "value");
  }
  return out + "</svg>\n";
}

std::string ScatterPlot(const std::string& title, const std::string& unit,
                        const std::vector<double>& a, const std::vector<double>& b) {
  constexpr double kSide = 300, kLeft = 60, kTop = 30;
  double most = 1e-9;
  for (const std::vector<double>* values : {&a, &b}) {
    for (const double value : *values) most = std::max(most, value);
  }
  std::string out = fmt::format("<svg viewBox=\"0 0 {} {}\" role=\"img\" class=\"half\">\n",
                                kSide + 80, kSide + 80);
  out += SvgText(kLeft + kSide / 2, 18, "middle", title);
  out += SvgBox(kLeft, kTop, kSide, kSide, "frame");
  out += SvgLine(kLeft, kTop + kSide, kLeft + kSide, kTop, "axis");
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    out += SvgDot(kLeft + kSide * a[i] / most, kTop + kSide * (1 - b[i] / most), 4, "sample");
  }
  out += SvgText(kLeft + kSide, kTop + kSide + 18, "end", fmt::format("{:.3g} {}", most, unit));
  out += SvgText(kLeft + kSide / 2, kTop + kSide + 36, "middle", "A");
  out += SvgText(kLeft - 8, kTop + kSide / 2, "end", "B");
  return out + "</svg>\n";
}

std::string BarPlot(const std::vector<BarPair>& bars) {
  double most = 1e-12;
  for (const BarPair& bar : bars) most = std::max({most, bar.a, bar.b});
  const double height = 44.0 * static_cast<double>(bars.size()) + 12,
               full = kSvgWidth - kLabel - 110;
  std::string out = SvgOpen(height);
  for (size_t i = 0; i < bars.size(); ++i) {
    const double y = 8 + 44 * static_cast<double>(i);
    out += SvgText(kLabel - 8, y + 20, "end", bars[i].name);
    const struct {
      double seconds, y;
      const char* arm;
    } both[] = {{bars[i].a, y, "a"}, {bars[i].b, y + 17, "b"}};
    for (const auto& [seconds, top, arm] : both) {
      out += SvgBox(kLabel, top, std::max(full * seconds / most, 0.5), 15, arm);
      out += SvgText(kLabel + full * seconds / most + 6, top + 12, "start",
                     fmt::format("{} {:.3f} s", arm[0] == 'a' ? 'A' : 'B', seconds));
    }
  }
  return out + "</svg>\n";
}

}  // namespace tenon::apps
