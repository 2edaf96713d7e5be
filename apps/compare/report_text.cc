// SPDX-License-Identifier: Apache-2.0
#include "apps/compare/report_text.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "fmt/format.h"

namespace tenon::apps {
namespace {

std::string ArmLine(const char* name, const ArmText& arm) {
  return fmt::format("{}  {}   {:.1f} MB, loaded in {:.0f} ms\n", name, arm.title,
                     static_cast<double>(arm.memory_bytes) * 1e-6, arm.load_ms);
}

// What `shown` makes of an estimate, its interval, and a star where that leaves out 0.
std::string Told(const Estimate& e, double (*shown)(double), const char* format) {
  const auto text = [&](double x) { return fmt::format(fmt::runtime(format), shown(x)); };
  if (!std::isfinite(shown(e.low)) || !std::isfinite(shown(e.high)) || e.samples < 2) {
    return text(e.value) + " (unknown)";
  }
  return fmt::format("{} ({} to {}){}", text(e.value), text(e.low), text(e.high),
                     e.Found() ? " *" : "");
}

std::string Times(const Estimate& e) {
  return Told(
      e, [](double log) { return std::exp(log); }, "{:.4g}");
}

std::string PerCent(const Estimate& e) {
  return Told(
      e, [](double log) { return 100 * (std::exp(log) - 1); }, "{:+.2f}");
}

std::string Plain(const Estimate& e) {
  return Told(
      e, [](double x) { return x; }, "{:.2g}");
}

}  // namespace

std::string CompareText(const ArmText& a, const ArmText& b, const Comparison& comparison,
                        const Verdict& verdict) {
  std::string out = ArmLine("A", a) + ArmLine("B", b);
  out += fmt::format("\n{:<24}{:>12}{:>12}   B is faster by (interval)\n", "speed", "A", "B");
  for (const SpeedRow& row : comparison.speed) {
    out += fmt::format("{:<24}{:>12.3f}{:>12.3f}   {}\n", fmt::format("{}, {}", row.name, row.unit),
                       row.a, row.b, Times(row.gain));
  }
  out += fmt::format("\n{:<24}{:>12}{:>12}\n", "time by plugin, s", "A", "B");
  std::map<std::string, std::pair<double, double>> plugins;
  for (const auto& [name, seconds] : comparison.plugins_a) plugins[name].first = seconds;
  for (const auto& [name, seconds] : comparison.plugins_b) plugins[name].second = seconds;
  for (const auto& [name, seconds] : plugins) {
    out += fmt::format("  {:<22}{:>12.3f}{:>12.3f}\n", name, seconds.first, seconds.second);
  }
  if (comparison.quality) {
    const auto& parts = comparison.quality->divergences;
    if (!parts.empty()) out += "\nwhere outputs part (prompt, token, A's gap between the two)\n";
    for (size_t i = 0; i < std::min<size_t>(parts.size(), 10); ++i) {
      out += fmt::format(
          "  {:>4} {:>5}   {}\n", parts[i].prompt + 1, parts[i].token + 1,
          parts[i].gap ? fmt::format("{:.4f}", *parts[i].gap) : "beyond the choices kept");
    }
  }
  out += "\n" + verdict.text + "\n";
  for (const std::string& failure : verdict.failures) out += "failed: " + failure + "\n";
  return out;
}

std::string AblationText(const ArmText& whole, const std::vector<AblationRow>& rows) {
  // The names of plugins and of what stands in for them may be of any length.
  constexpr const char* kRow = "{:<{}}  {:<{}}  {:<28}{:<28}{:<30}{:<28}{:>8}\n";
  const auto name_of = [](const AblationRow& row) {
    return fmt::format("{} {}", Name(row.what.family), row.what.component);
  };
  size_t name_width = 22, other_width = 24;
  for (const AblationRow& row : rows) {
    name_width = std::max(name_width, name_of(row).size());
    if (row.comparison) other_width = std::max(other_width, row.instead.size());
  }
  std::string out = ArmLine("whole", whole) + "\n";
  out += fmt::format(kRow, "plugin", name_width, "measured against", other_width,
                     "speed of a request, times", "throughput, times", "perplexity, %", "KL", "MB");
  for (const AblationRow& row : rows) {
    const std::string name = name_of(row);
    if (!row.comparison) {
      out += fmt::format("{:<{}}  {}\n", name, name_width,
                         row.is_default ? row.why_not : "cannot be switched: " + row.why_not);
      continue;
    }
    const auto& speed = row.comparison->speed;
    const auto& quality = row.comparison->quality;
    out += fmt::format(kRow, name, name_width, row.instead, other_width,
                       Times(SpeedOfHaving(speed.front())), Times(SpeedOfHaving(speed.back())),
                       quality ? PerCent(NllOfHaving(*quality)) : "",
                       quality ? Plain(quality->kl) : "",
                       fmt::format("{:+.1f}", (static_cast<double>(whole.memory_bytes) -
                                               static_cast<double>(row.arm.memory_bytes)) *
                                                  1e-6));
  }
  return out +
         "\nEach line is the pipeline as it is against the pipeline with that plugin switched: "
         "above 1 the plugin\nmakes it faster, below 0 % its perplexity is better for it; * where "
         "the interval leaves no difference out.\n";
}

}  // namespace tenon::apps
