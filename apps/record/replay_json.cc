// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "apps/record/replay_report.h"
#include "fmt/format.h"
#include "nlohmann/json.hpp"

namespace tenon::apps::record {
namespace {

using nlohmann::json;

json TokenJson(int32_t id) { return id < 0 ? json() : json(id); }

json ChangeJson(const ReplayReport& report, const Change& change) {
  return {{"id", report.requests[change.request].request.id},
          {"request", change.request},
          {"choice", change.choice},
          {"token", change.token},
          {"recorded", TokenJson(change.recorded)},
          {"replayed", TokenJson(change.replayed)},
          {"recorded_tokens", change.recorded_tokens},
          {"replayed_tokens", change.replayed_tokens}};
}

json TimesJson(const Distribution& times) {
  json out = {{"samples", times.values.size()}, {"mean", times.mean}, {"median", times.median}};
  for (const auto& [p, value] : times.percentiles) out[fmt::format("p{:g}", p)] = value;
  return out;
}

json PairJson(const TimePair& times) {
  return {{"recorded", TimesJson(times.recorded)}, {"replayed", TimesJson(times.replayed)}};
}

json IdentityJson(const EngineIdentity& identity) {
  json components = json::array();
  for (const ComponentIdentity& one : identity.components) {
    components.push_back({{"family", one.family},
                          {"use", one.use},
                          {"plugin", one.plugin},
                          {"version", one.version},
                          {"file", one.file},
                          {"sha256", one.sha256}});
  }
  return {{"sha256", identity.sha256},
          {"isa", identity.isa},
          {"threads", identity.threads},
          {"resolved", identity.resolved},
          {"components", components}};
}

json RequestsJson(const ReplayReport& report) {
  json out = json::array();
  const int64_t first = report.requests.empty() ? 0 : report.requests.front().arrival_us;
  for (size_t i = 0; i < report.requests.size(); ++i) {
    const ReplayedRequest& replayed = report.run.requests[i];
    json choices = json::array();
    for (size_t c = 0; c < replayed.choices.size(); ++c) {
      const RecordedChoice& before = report.requests[i].choices[c];
      const RecordedChoice& now = replayed.choices[c];
      choices.push_back({{"recorded_tokens", before.tokens.size()},
                         {"replayed_tokens", now.tokens.size()},
                         {"recorded_ttft_us", before.first_token_us},
                         {"replayed_ttft_us", now.first_token_us},
                         {"recorded_cached_tokens", before.cached_tokens},
                         {"replayed_cached_tokens", now.cached_tokens}});
    }
    out.push_back({{"id", report.requests[i].request.id},
                   {"outcome", Name(report.differences.outcomes[i])},
                   {"arrival_us", report.requests[i].arrival_us - first},
                   {"due_us", replayed.due_us},
                   {"sent_us", replayed.sent_us},
                   {"choices", choices}});
  }
  return out;
}

}  // namespace

std::string ReplayJson(const ReplayReport& report, bool detail) {
  const Differences& differences = report.differences;
  json changes = json::array();
  for (const Change& change : differences.changes) changes.push_back(ChangeJson(report, change));
  json plugins = json::array();
  for (const PluginChange& one : report.plugins) {
    plugins.push_back({{"place", one.place},
                       {"recorded", one.recorded},
                       {"replayed", one.replayed},
                       {"other_file", one.other_file}});
  }
  const auto count = [&](Outcome outcome) {
    return differences.counts[static_cast<size_t>(outcome)];
  };
  json out = {{"run", report.recording->name},
              {"tenon", report.recording->program},
              {"model", report.engine->model},
              {"recorded_pipeline", report.engine->pipeline},
              {"replayed_pipeline", report.pipeline},
              {"recorded_engine", IdentityJson(report.engine->identity)},
              {"replayed_engine", IdentityJson(report.identity)},
              {"speed", std::isinf(report.speed) ? json() : json(report.speed)},
              {"seconds", report.run.seconds},
              {"stopped", report.run.stopped},
              {"notes", report.notes},
              {"requests", report.requests.size()},
              {"identical", count(Outcome::kIdentical)},
              {"same_so_far", count(Outcome::kSameSoFar)},
              {"not_comparable", count(Outcome::kIncomparable)},
              {"not_sent", count(Outcome::kUnsent)},
              {"failed", count(Outcome::kFailed)},
              {"changed", count(Outcome::kChanged)},
              {"changes", changes},
              {"errors", differences.errors},
              {"plugins", plugins},
              {"recorded_output_tokens", differences.recorded_tokens},
              {"replayed_output_tokens", differences.replayed_tokens},
              {"ttft_ms", PairJson(differences.first_token)},
              {"tpot_ms", PairJson(differences.per_token)},
              {"e2el_ms", PairJson(differences.whole)},
              {"sent_late_ms", TimesJson(differences.late)}};
  if (detail) out["each"] = RequestsJson(report);
  return out.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace tenon::apps::record
