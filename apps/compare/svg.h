// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace tenon::apps {

// One line of a forest plot: an interval around a value, and the samples behind it.
struct ForestLine {
  std::string name;
  double value, low, high;  // ratios; 1 is no difference
  std::vector<double> samples;
};
std::string ForestPlot(const std::vector<ForestLine>& lines);

// Both arms, sample by sample, against the diagonal.
std::string ScatterPlot(const std::string& title, const std::string& unit,
                        const std::vector<double>& a, const std::vector<double>& b);

// Seconds by name, one bar an arm.
struct BarPair {
  std::string name;
  double a, b;
};
std::string BarPlot(const std::vector<BarPair>& bars);

}  // namespace tenon::apps
