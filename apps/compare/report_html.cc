// SPDX-License-Identifier: Apache-2.0
#include "apps/compare/report_html.h"

#include <cmath>
#include <set>

#include "apps/compare/svg.h"
#include "apps/report/page.h"
#include "apps/report/svg.h"
#include "fmt/format.h"

namespace tenon::apps {
namespace {

// "a to b" of what `shown` makes of the ends; of an interval without end, that none is known.
std::string Interval(const Estimate& e, double (*shown)(double), const char* format) {
  if (!std::isfinite(shown(e.low)) || !std::isfinite(shown(e.high)) || e.samples < 2) {
    return "unknown";
  }
  return fmt::format(fmt::runtime(std::string(format) + " to " + format), shown(e.low),
                     shown(e.high));
}

double PerCent(double log) { return 100 * (std::exp(log) - 1); }
double Ratio(double log) { return std::exp(log); }
double Itself(double x) { return x; }

std::string SpeedTable(const Comparison& comparison) {
  std::string out =
      "<table><tr><th>speed</th><th>A</th><th>B</th><th>B is faster by</th><th>interval</th>"
      "<th>smallest that would be found</th></tr>\n";
  for (const SpeedRow& row : comparison.speed) {
    out += fmt::format(
        "<tr><td>{} ({})</td><td>{:.3f}</td><td>{:.3f}</td><td>{:.3f}×</td><td>{}</td><td>{}</td>"
        "</tr>\n",
        Escaped(row.name), Escaped(row.unit), row.a, row.b, std::exp(row.gain.value),
        Interval(row.gain, Ratio, "{:.3f}"),
        std::isfinite(row.gain.detectable) ? fmt::format("{:.1f} %", PerCent(row.gain.detectable))
                                           : "unknown");
  }
  return out + "</table>\n";
}

std::string Forest(const Comparison& comparison) {
  std::vector<ForestLine> lines;
  for (const SpeedRow& row : comparison.speed) {
    ForestLine line{
        row.name, std::exp(row.gain.value), std::exp(row.gain.low), std::exp(row.gain.high), {}};
    const bool rate = row.unit == "tok/s";
    for (size_t i = 0; i < row.each_a.size(); ++i) {
      if (row.each_a[i] <= 0 || row.each_b[i] <= 0) continue;
      line.samples.push_back(rate ? row.each_b[i] / row.each_a[i] : row.each_a[i] / row.each_b[i]);
    }
    lines.push_back(std::move(line));
  }
  return ForestPlot(lines);
}

std::string Plugins(const Comparison& comparison) {
  std::set<std::string> names;
  for (const auto* arm : {&comparison.plugins_a, &comparison.plugins_b}) {
    for (const auto& [name, seconds] : *arm) names.insert(name);
  }
  std::vector<BarPair> bars;
  const auto of = [](const std::map<std::string, double>& arm, const std::string& name) {
    const auto found = arm.find(name);
    return found == arm.end() ? 0.0 : found->second;
  };
  for (const std::string& name : names) {
    bars.push_back({name, of(comparison.plugins_a, name), of(comparison.plugins_b, name)});
  }
  return BarPlot(bars);
}

std::string QualityTables(const Quality& q) {
  const auto share = [](double x) { return 100 * x; };
  std::string out = fmt::format(
      "<table><tr><th>quality</th><th>value</th><th>interval</th></tr>\n"
      "<tr><td>KL(A ‖ B), nats a position</td><td>{:.3g}</td><td>{}</td></tr>\n"
      "<tr><td>largest KL of a position</td><td>{:.3g}</td><td></td></tr>\n"
      "<tr><td>same first choice, %</td><td>{:.2f}</td><td>{}</td></tr>\n"
      "<tr><td>perplexity, A and B</td><td>{:.4f}, {:.4f}</td><td></td></tr>\n"
      "<tr><td>perplexity, change, %</td><td>{:+.3f}</td><td>{}</td></tr>\n"
      "<tr><td>identical outputs, %</td><td>{:.0f}</td><td>{}</td></tr></table>\n",
      q.kl.value, Interval(q.kl, Itself, "{:.3g}"), q.largest_kl, share(q.same_top.value),
      Interval(q.same_top, share, "{:.2f}"), q.ppl_a, q.ppl_b, PerCent(q.nll_change.value),
      Interval(q.nll_change, PerCent, "{:+.3f}"), share(q.identical.value),
      Interval(q.identical, share, "{:.0f}"));
  if (q.divergences.empty()) return out;
  out +=
      "<h2>Where outputs part</h2>\n<table><tr><th>prompt</th><th>token</th><th>A chose</th>"
      "<th>B chose</th><th>A's gap between the two, nats</th></tr>\n";
  for (const Divergence& d : q.divergences) {
    out += fmt::format("<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
                       d.prompt + 1, d.token + 1, d.chosen_a, d.chosen_b,
                       d.gap ? fmt::format("{:.4f}", *d.gap) : "beyond the choices kept");
  }
  return out + "</table>\n";
}

std::string ArmColumn(const char* name, const ArmText& arm) {
  return fmt::format(
      "<div><h3>{}: {}</h3><p>{:.1f} MB, loaded in {:.0f} ms</p><pre>{}</pre></div>\n", name,
      Escaped(arm.title), static_cast<double>(arm.memory_bytes) * 1e-6, arm.load_ms,
      Escaped(arm.pipeline));
}

std::string SpeedAndTime(const Comparison& comparison) {
  std::string out = SpeedTable(comparison) + Forest(comparison) + "<div class=\"pair\">\n";
  for (size_t i = 0; i < std::min<size_t>(2, comparison.speed.size()); ++i) {
    const SpeedRow& row = comparison.speed[i];
    out += ScatterPlot(row.name + ", prompt by prompt", row.unit, row.each_a, row.each_b);
  }
  return out + "</div>\n<h2>Time by plugin</h2>\n" + Plugins(comparison);
}

// A value with its interval below it.
std::string Cell(const Estimate& e, double (*shown)(double), const char* format) {
  return fmt::format("<td>{}{}<br><small>{}</small></td>",
                     fmt::format(fmt::runtime(format), shown(e.value)), e.Found() ? " *" : "",
                     Interval(e, shown, format));
}

std::string AblationTable(const ArmText& whole, const std::vector<AblationRow>& rows) {
  std::string out =
      "<table class=\"ablation\"><tr><th>plugin</th><th>measured against</th>"
      "<th>speed of a request, ×</th><th>throughput, ×</th><th>perplexity, %</th><th>KL, nats</th>"
      "<th>memory, MB</th></tr>\n";
  for (const AblationRow& row : rows) {
    out += fmt::format("<tr><td>{} {}</td>", Name(row.what.family), Escaped(row.what.component));
    if (!row.comparison) {
      out +=
          fmt::format("<td class=\"words\" colspan=\"6\">{}</td></tr>\n",
                      Escaped(row.is_default ? row.why_not : "cannot be switched: " + row.why_not));
      continue;
    }
    out += fmt::format("<td>{}</td>", Escaped(row.instead));
    out += Cell(SpeedOfHaving(row.comparison->speed.front()), Ratio, "{:.4g}");
    out += Cell(SpeedOfHaving(row.comparison->speed.back()), Ratio, "{:.4g}");
    if (row.comparison->quality) {
      out += Cell(NllOfHaving(*row.comparison->quality), PerCent, "{:+.3f}");
      out += Cell(row.comparison->quality->kl, Itself, "{:.2g}");
    } else {
      out += "<td></td><td></td>";
    }
    out += fmt::format("<td>{:+.1f}</td></tr>\n", (static_cast<double>(whole.memory_bytes) -
                                                   static_cast<double>(row.arm.memory_bytes)) *
                                                      1e-6);
  }
  return out + "</table>\n";
}

// What each plugin does to one property.
std::string AblationForest(const std::vector<AblationRow>& rows, size_t property) {
  std::vector<ForestLine> lines;
  for (const AblationRow& row : rows) {
    if (!row.comparison || property >= row.comparison->speed.size()) continue;
    const Estimate speed = SpeedOfHaving(row.comparison->speed[property]);
    lines.push_back({fmt::format("{} {}", Name(row.what.family), row.what.component),
                     std::exp(speed.value),
                     std::exp(speed.low),
                     std::exp(speed.high),
                     {}});
  }
  return lines.empty() ? "" : ForestPlot(lines);
}

}  // namespace

std::string ReportHtml(const ArmText& a, const ArmText& b, const Comparison& comparison,
                       const Verdict& verdict) {
  std::string out = PageHead("tenon compare");
  out += fmt::format("<h1>A: {} · B: {}</h1>\n", Escaped(a.title), Escaped(b.title));
  std::string text = verdict.text;
  for (const std::string& failure : verdict.failures) text += "\nfailed: " + failure;
  out += fmt::format("<p class=\"verdict{}\">{}</p>\n", verdict.passed ? "" : " failed",
                     Escaped(text));
  out += "<h2>Speed of B against A</h2>\n" + SpeedAndTime(comparison);
  if (comparison.quality) {
    out += "<h2>Quality of B against A</h2>\n" + QualityTables(*comparison.quality);
  }
  out += "<h2>The arms</h2>\n<div class=\"pair\">\n" + ArmColumn("A", a) + ArmColumn("B", b) +
         "</div>\n";
  return out + kPageEnd;
}

std::string AblationHtml(const ArmText& whole, const std::vector<AblationRow>& rows) {
  std::string out = PageHead("tenon compare");
  out += fmt::format(
      "<h1>What each plugin of {} contributes</h1>\n<p class=\"verdict\">Each line is the pipeline "
      "as it is against the pipeline with that plugin switched. Above 1 the plugin makes it "
      "faster, "
      "below 0 % its perplexity is better for it. * where the interval leaves no difference out; "
      "all "
      "lines together find one that is not there in one experiment of twenty.</p>\n",
      Escaped(whole.title));
  out += AblationTable(whole, rows);
  out += "<h2>Speed of a request</h2>\n" + AblationForest(rows, 0);
  out += "<h2>Throughput</h2>\n" + AblationForest(rows, 3);
  for (const AblationRow& row : rows) {
    if (!row.comparison) continue;
    out += fmt::format("<details><summary>{} {}: A as it is, B with {}</summary>\n",
                       Name(row.what.family), Escaped(row.what.component), Escaped(row.instead));
    out += SpeedAndTime(*row.comparison);
    if (row.comparison->quality) out += QualityTables(*row.comparison->quality);
    out += "<div class=\"pair\">\n" + ArmColumn("A", whole) + ArmColumn("B", row.arm) +
           "</div></details>\n";
  }
  return out + kPageEnd;
}

}  // namespace tenon::apps
