// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include "apps/record/replay_report.h"
#include "apps/report/page.h"
#include "apps/report/svg.h"
#include "fmt/format.h"

namespace tenon::apps::record {
namespace {

constexpr double kLeft = 60, kRight = kSvgWidth - 20;  // of a plot's frame
constexpr double kTop = 24, kBottom = 224, kHeight = 252;
constexpr size_t kShownChanges = 500;
constexpr size_t kDots = 4000;  // of a side; more would only cover one another

std::string Cell(const std::string& text) { return "<td>" + Escaped(text) + "</td>"; }

std::string Row(const std::string& name, const std::string& value) {
  return "<tr>" + Cell(name) + Cell(value) + "</tr>\n";
}

std::string Outcomes(const ReplayReport& report) {
  std::string out = "<table><tr><th>requests</th><th></th></tr>\n";
  for (size_t i = 0; i < kOutcomes; ++i) {
    out += Row(Name(static_cast<Outcome>(i)), std::to_string(report.differences.counts[i]));
  }
  return out + "</table>\n";
}

std::string Changes(const ReplayReport& report) {
  const std::vector<Change>& changes = report.differences.changes;
  if (changes.empty()) return "";
  std::string out =
      "<h2>From where on they changed</h2>\n<table><tr><th>request</th><th>choice</th>"
      "<th>token</th><th>recorded there</th><th>replayed there</th><th>tokens recorded</th>"
      "<th>replayed</th></tr>\n";
  for (size_t i = 0; i < std::min(changes.size(), kShownChanges); ++i) {
    const Change& change = changes[i];
    out += "<tr>" + Cell(report.requests[change.request].request.id) +
           Cell(std::to_string(change.choice)) + Cell(std::to_string(change.token)) +
           Cell(TokenText(change.recorded)) + Cell(TokenText(change.replayed)) +
           Cell(std::to_string(change.recorded_tokens)) +
           Cell(std::to_string(change.replayed_tokens)) + "</tr>\n";
  }
  out += "</table>\n";
  if (changes.size() > kShownChanges) {
    out += fmt::format("<p>and {} more</p>\n", changes.size() - kShownChanges);
  }
  return out;
}

std::string Plugins(const ReplayReport& report) {
  if (report.plugins.empty()) return "<p>Every plugin is the one that was recorded.</p>\n";
  std::string out =
      "<h2>Not what it "
      "was</h2>\n<table><tr><th>place</th><th>recorded</th><th>replayed</th></tr>\n";
  for (const PluginChange& one : report.plugins) {
    out += "<tr>" + Cell(one.place) + Cell(one.recorded) + Cell(one.replayed) + "</tr>\n";
  }
  return out + "</table>\n";
}

std::string TimeRows(const char* name, const TimePair& times) {
  std::string out;
  for (const auto* side : {&times.recorded, &times.replayed}) {
    out += "<tr>" +
           Cell(fmt::format("{}, {}", name, side == &times.recorded ? "recorded" : "replayed"));
    for (const auto& [p, value] : side->percentiles) out += Cell(fmt::format("{:.2f}", value));
    out += Cell(fmt::format("{:.2f}", side->mean)) + "</tr>\n";
  }
  return out;
}

std::string Times(const ReplayReport& report) {
  const Differences& differences = report.differences;
  return "<h2>Times, ms</h2>\n<table><tr><th></th><th>P50</th><th>P90</th><th>P99</th><th>mean</th>"
         "</tr>\n" +
         TimeRows("to the first token", differences.first_token) +
         TimeRows("per token", differences.per_token) + TimeRows("whole", differences.whole) +
         "</table>\n";
}

// Time to first token of each request over when it arrived.
std::string FirstTokens(const ReplayReport& report) {
  struct Dot {
    double at, recorded, replayed;
  };
  std::vector<Dot> dots;
  double most = 0;
  for (size_t i = 0; i < report.requests.size(); ++i) {
    const std::vector<RecordedChoice>& choices = report.run.requests[i].choices;
    const RecordedChoice& before = report.requests[i].choices.front();
    if (choices.empty() || choices.front().first_token_us < 0 || before.first_token_us < 0)
      continue;
    const int64_t since = report.requests[i].arrival_us - report.requests.front().arrival_us;
    dots.push_back({static_cast<double>(since) * 1e-6,
                    static_cast<double>(before.first_token_us) * 1e-3,
                    static_cast<double>(choices.front().first_token_us) * 1e-3});
    most = std::max({most, dots.back().recorded, dots.back().replayed});
  }
  if (dots.empty()) return "";
  const double end = std::max(dots.back().at, 1e-6);
  std::string out = "<h2>Time to first token, by recorded arrival</h2>\n" + SvgOpen(kHeight) +
                    SvgBox(kLeft, kTop, kRight - kLeft, kBottom - kTop, "frame") +
                    SvgText(kLeft, kBottom + 18, "start", "0 s") +
                    SvgText(kRight, kBottom + 18, "end", fmt::format("{:.3g} s", end)) +
                    SvgText(kLeft - 6, kTop + 10, "end", fmt::format("{:.4g} ms", most)) +
                    SvgText(kLeft - 6, kBottom, "end", "0") + SvgDot(kLeft + 6, kTop - 10, 4, "a") +
                    SvgText(kLeft + 16, kTop - 6, "start", "recorded") +
                    SvgDot(kLeft + 106, kTop - 10, 4, "b") +
                    SvgText(kLeft + 116, kTop - 6, "start", "replayed");
  const size_t step = (dots.size() + kDots - 1) / kDots;
  for (size_t i = 0; i < dots.size(); i += step) {
    const double x = kLeft + (kRight - kLeft) * dots[i].at / end;
    const auto y = [&](double value) { return kBottom - (kBottom - kTop) * value / most; };
    out += SvgDot(x, y(dots[i].recorded), 2.5, "a") + SvgDot(x, y(dots[i].replayed), 2.5, "b");
  }
  return out + "</svg>\n";
}

}  // namespace

std::string ReplayHtml(const ReplayReport& report) {
  std::string out = PageHead("tenon replay");
  out += "<h1>" + Escaped(report.recording->name + " with " + report.pipeline) + "</h1>\n";
  out += fmt::format(
      "<p>{} requests, recorded by tenon {} with {}; replayed in {:.1f} s, {}{}</p>\n",
      report.requests.size(), Escaped(report.recording->program), Escaped(report.engine->pipeline),
      report.run.seconds,
      std::isinf(report.speed) ? "all at once" : fmt::format("{:g} times as fast", report.speed),
      report.run.stopped ? "; stopped" : "");
  for (const std::string& note : report.notes) out += "<p>" + Escaped(note) + "</p>\n";
  out += Outcomes(report) + Changes(report);
  for (const std::string& error : report.differences.errors) {
    out += "<p class=\"verdict failed\">" + Escaped(error) + "</p>\n";
  }
  out += Plugins(report) + Times(report) + FirstTokens(report);
  out += "<details><summary>The pipelines</summary><div class=\"pair\"><pre>" +
         Escaped(report.engine->identity.resolved) + "</pre><pre>" +
         Escaped(report.identity.resolved) + "</pre></div></details>\n";
  return out + kPageEnd;
}

}  // namespace tenon::apps::record
