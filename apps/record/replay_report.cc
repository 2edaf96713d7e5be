// SPDX-License-Identifier: Apache-2.0
#include "apps/record/replay_report.h"

#include <cmath>

#include "fmt/format.h"

namespace tenon::apps::record {
namespace {

constexpr size_t kShownChanges = 20;

std::string ChangeText(const ReplayReport& report, const Change& change) {
  const GenerateRequest& request = report.requests[change.request].request;
  std::string text = fmt::format("  {}", request.id);
  if (request.n > 1) text += fmt::format(", choice {}", change.choice);
  text += fmt::format(": token {}: {} was {}", change.token, TokenText(change.replayed),
                      TokenText(change.recorded));
  if (change.recorded_tokens != change.replayed_tokens) {
    text += fmt::format(" ({} tokens, were {})", change.replayed_tokens, change.recorded_tokens);
  }
  return text + "\n";
}

std::string TimeLine(const char* name, const TimePair& times) {
  if (times.recorded.values.empty()) return "";
  std::string text;
  for (const auto* side : {&times.recorded, &times.replayed}) {
    text += fmt::format("{:<10}{:<10}", side == &times.recorded ? name : "",
                        side == &times.recorded ? "recorded" : "replayed");
    for (const auto& [p, value] : side->percentiles) text += fmt::format("{:>10.2f}", value);
    text += fmt::format("{:>10.2f}\n", side->mean);
  }
  return text;
}

std::string Counts(const ReplayReport& report) {
  std::string text;
  for (size_t i = 0; i < kOutcomes; ++i) {
    const int64_t count = report.differences.counts[i];
    if (count == 0 && i != 0 && static_cast<Outcome>(i) != Outcome::kChanged) continue;
    text += fmt::format("  {:<16}{}\n", Name(static_cast<Outcome>(i)), count);
  }
  return text;
}

}  // namespace

const char* Name(Outcome outcome) {
  switch (outcome) {
    case Outcome::kIdentical:
      return "identical";
    case Outcome::kSameSoFar:
      return "same so far";
    case Outcome::kIncomparable:
      return "not comparable";
    case Outcome::kUnsent:
      return "not sent";
    case Outcome::kFailed:
      return "failed";
    default:
      return "changed";
  }
}

std::string TokenText(int32_t id) { return id < 0 ? "the end" : std::to_string(id); }

std::vector<std::string> NotesOf(const RecordedRun& run, bool front_rules) {
  std::vector<std::string> notes;
  if (run.left_out > 0) {
    notes.push_back(fmt::format("{} requests were left out of the recording", run.left_out));
  }
  if (run.begins_late) {
    notes.emplace_back("the recording's first files were dropped, to keep within its limit");
  }
  if (run.torn) notes.emplace_back("the recording's last line is cut off and left out");
  if (front_rules && !run.text) {
    notes.emplace_back(
        "rules of the pipeline answer by a user's text, which only --record-text keeps: here they "
        "saw none");
  }
  return notes;
}

std::string ReplayText(const ReplayReport& report) {
  const Differences& differences = report.differences;
  std::string text = fmt::format(
      "{}: {} requests, recorded by tenon {} with {}\nreplayed with {} in {:.1f} s, {}{}\n\n",
      report.recording->name, report.requests.size(), report.recording->program,
      report.engine->pipeline, report.pipeline, report.run.seconds,
      std::isinf(report.speed) ? "all at once" : fmt::format("{:g} times as fast", report.speed),
      report.run.stopped ? "; stopped" : "");
  for (const std::string& note : report.notes) text += "note: " + note + "\n";
  if (!report.notes.empty()) text += "\n";
  text += "requests:\n" + Counts(report);
  const auto shown = std::min(differences.changes.size(), kShownChanges);
  if (shown > 0) text += "\nfrom where on they changed (tokens of the output, from 0):\n";
  for (size_t i = 0; i < shown; ++i) text += ChangeText(report, differences.changes[i]);
  if (differences.changes.size() > shown) {
    text += fmt::format("  and {} more; --json lists all\n", differences.changes.size() - shown);
  }
  for (const std::string& error : differences.errors) text += "error: " + error + "\n";
  if (!report.plugins.empty()) text += "\nnot what it was:\n";
  for (const PluginChange& plugin : report.plugins) {
    text += fmt::format("  {:<12}{}\n{:<14}was {}\n", plugin.place, plugin.replayed, "",
                        plugin.recorded);
  }
  if (!differences.first_token.recorded.values.empty()) {
    text += fmt::format("\n{:<20}{:>10}{:>10}{:>10}{:>10}\n", "ms", "P50", "P90", "P99", "mean");
  }
  text += TimeLine("TTFT", differences.first_token) + TimeLine("TPOT", differences.per_token) +
          TimeLine("whole", differences.whole);
  if (!differences.late.values.empty()) {
    text += fmt::format(
        "requests were sent {:.2f} ms after they were due in the median, {:.2f} at "
        "most\n",
        differences.late.median, differences.late.values.back());
  }
  return text;
}

}  // namespace tenon::apps::record
