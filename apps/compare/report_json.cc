// SPDX-License-Identifier: Apache-2.0
#include "apps/compare/report_json.h"

#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

namespace tenon::apps {
namespace {

nlohmann::json ToJson(const Estimate& e) {
  // JSON has no infinity: an interval without end is null.
  const auto number = [](double x) {
    return std::isfinite(x) ? nlohmann::json(x) : nlohmann::json();
  };
  return {{"value", number(e.value)},           {"low", number(e.low)}, {"high", number(e.high)},
          {"detectable", number(e.detectable)}, {"samples", e.samples}, {"found", e.Found()}};
}

// Log ratios as ratios.
nlohmann::json RatioJson(const Estimate& e) {
  nlohmann::json out = ToJson({std::exp(e.value), std::exp(e.low), std::exp(e.high),
                               std::exp(e.detectable) - 1, e.samples});
  out["found"] = e.Found();
  return out;
}

nlohmann::json SpeedJson(const Comparison& comparison) {
  nlohmann::json out = nlohmann::json::array();
  for (const SpeedRow& row : comparison.speed) {
    out.push_back({{"name", row.name},
                   {"unit", row.unit},
                   {"a", row.a},
                   {"b", row.b},
                   {"speed_of_b_over_a", RatioJson(row.gain)},
                   {"each_a", row.each_a},
                   {"each_b", row.each_b}});
  }
  return out;
}

nlohmann::json QualityJson(const Quality& q) {
  nlohmann::json parts = nlohmann::json::array();
  for (const Divergence& d : q.divergences) {
    parts.push_back({{"prompt", d.prompt},
                     {"token", d.token},
                     {"chosen_a", d.chosen_a},
                     {"chosen_b", d.chosen_b},
                     {"gap", d.gap ? nlohmann::json(*d.gap) : nlohmann::json()}});
  }
  return {{"identical_outputs", ToJson(q.identical)},
          {"divergences", std::move(parts)},
          {"positions", q.positions},
          {"kl", ToJson(q.kl)},
          {"largest_kl", q.largest_kl},
          {"same_top", ToJson(q.same_top)},
          {"ppl_a", q.ppl_a},
          {"ppl_b", q.ppl_b},
          {"ppl_of_b_over_a", RatioJson(q.nll_change)}};
}

nlohmann::json ArmJson(const ArmText& arm) {
  return {{"file", arm.title},
          {"pipeline", arm.pipeline},
          {"memory_bytes", arm.memory_bytes},
          {"load_ms", arm.load_ms}};
}

nlohmann::json FiguresJson(const Comparison& comparison) {
  return {
      {"speed", SpeedJson(comparison)},
      {"plugin_seconds", {{"a", comparison.plugins_a}, {"b", comparison.plugins_b}}},
      {"quality", comparison.quality ? QualityJson(*comparison.quality) : nlohmann::json()},
  };
}

nlohmann::json RowJson(const ArmText& whole, const AblationRow& row) {
  nlohmann::json out = {{"family", Name(row.what.family)}, {"component", row.what.component}};
  if (!row.comparison) {
    out["state"] = row.is_default ? "default" : "needed";
    out["reason"] = row.why_not;
    return out;
  }
  out["state"] = "measured";
  out["instead"] = row.instead;
  out["pipeline"] = row.arm.pipeline;
  nlohmann::json speed = nlohmann::json::object();
  for (const SpeedRow& one : row.comparison->speed) {
    speed[one.name] = RatioJson(SpeedOfHaving(one));
  }
  out["contributes"] = {{"speed", std::move(speed)},
                        {"memory_bytes", static_cast<int64_t>(whole.memory_bytes) -
                                             static_cast<int64_t>(row.arm.memory_bytes)}};
  if (row.comparison->quality) {
    out["contributes"]["ppl"] = RatioJson(NllOfHaving(*row.comparison->quality));
    out["contributes"]["kl"] = ToJson(row.comparison->quality->kl);
  }
  out.update(FiguresJson(*row.comparison));
  return out;
}

}  // namespace

nlohmann::json CompareJson(const ArmText& a, const ArmText& b, const Comparison& comparison,
                           const Verdict& verdict) {
  nlohmann::json out = {{"a", ArmJson(a)}, {"b", ArmJson(b)}};
  out.update(FiguresJson(comparison));
  out["verdict"] = {{"passed", verdict.passed},
                    {"difference", verdict.difference},
                    {"text", verdict.text},
                    {"failures", verdict.failures}};
  return out;
}

nlohmann::json AblationJson(const ArmText& whole, const std::vector<AblationRow>& rows) {
  nlohmann::json plugins = nlohmann::json::array();
  for (const AblationRow& row : rows) plugins.push_back(RowJson(whole, row));
  return {{"pipeline", ArmJson(whole)}, {"plugins", std::move(plugins)}};
}

}  // namespace tenon::apps
