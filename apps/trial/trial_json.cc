// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "apps/trial/trial.h"
#include "nlohmann/json.hpp"

namespace tenon::apps::trial {
namespace {

using nlohmann::json;

json Number(double value) { return std::isfinite(value) ? json(value) : json(nullptr); }

json Number(const std::optional<double>& value) { return value ? Number(*value) : json(nullptr); }

json Of(const Estimate& estimate) {
  if (estimate.samples == 0) return nullptr;
  return {{"value", Number(estimate.value)},
          {"low", Number(estimate.low)},
          {"high", Number(estimate.high)},
          {"samples", estimate.samples}};
}

json Of(const Spread& spread) {
  if (spread.count == 0) return nullptr;
  return {{"requests", spread.count},
          {"mean_s", spread.mean},
          {"p50_s", spread.p50},
          {"p99_s", spread.p99}};
}

json Of(const ArmSummary& arm, const std::string& pipeline) {
  const ArmCounts& counts = arm.counts;
  return {
      {"pipeline", pipeline},
      {"requests", counts.begun},
      {"running", counts.begun - counts.done - counts.cancelled - counts.refused - counts.failed},
      {"done", counts.done},
      {"cancelled", counts.cancelled},
      {"refused", counts.refused},
      {"errors", counts.failed},
      {"last_error", counts.last_error.empty() ? json(nullptr) : json(counts.last_error)},
      {"output_tokens", counts.output_tokens},
      {"ttft", Of(arm.first_token)},
      {"tpot", Of(arm.per_token)}};
}

json Of(const Slowdown& slowdown) {
  return {{"difference_s", Of(slowdown.seconds)}, {"increase", Of(slowdown.relative)}};
}

json OfOutputs(const Summary& summary) {
  const OutputSummary& outputs = summary.outputs;
  const bool differs = outputs.compared > outputs.identical;
  json buckets = json::array();
  for (size_t i = 0; i < outputs.first_difference.size(); ++i) {
    if (outputs.first_difference[i] == 0) continue;
    const bool last = i + 1 == outputs.first_difference.size();
    buckets.push_back({{"below_token", last ? json(nullptr) : json(int64_t{1} << i)},
                       {"requests", outputs.first_difference[i]}});
  }
  return {
      {"compared", outputs.compared},
      {"identical", outputs.identical},
      {"identical_share", Of(outputs.identical_share)},
      {"first_difference", std::move(buckets)},
      {"first_difference_median", differs ? json(outputs.first_difference_median) : json(nullptr)},
      {"not_shadowed", summary.not_shadowed}};
}

json Of(const TrialOptions& options) {
  const TrialLimits& limits = options.limits;
  return {{"share", options.share},
          {"max_shadows", options.shadow ? json(options.max_shadows) : json(nullptr)},
          {"max_errors", limits.max_errors},
          {"min_requests", limits.min_requests},
          {"max_ttft_increase", Number(limits.max_ttft_increase)},
          {"max_tpot_increase", Number(limits.max_tpot_increase)},
          {"min_identical", Number(limits.min_identical)}};
}

}  // namespace

const char* Name(TrialPhase phase) {
  switch (phase) {
    case TrialPhase::kLoading:
      return "loading";
    case TrialPhase::kRunning:
      return "running";
    case TrialPhase::kPromoted:
      return "promoted";
    case TrialPhase::kRolledBack:
      return "rolled_back";
  }
  return "";
}

std::string TrialJson(const TrialReport& report) {
  const Summary& summary = report.summary;
  json out = {{"status", Name(report.phase)},
              {"reason", report.reason.empty() ? json(nullptr) : json(report.reason)},
              {"mode", report.options.shadow ? "shadow" : "split"},
              {"seconds", report.seconds},
              {"options", Of(report.options)},
              {"a", Of(summary.a, report.pipeline_a)},
              {"b", Of(summary.b, report.pipeline_b)},
              {"ttft", Of(summary.first_token)},
              {"tpot", Of(summary.per_token)}};
  if (report.options.shadow) out["outputs"] = OfOutputs(summary);
  return out.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace tenon::apps::trial
