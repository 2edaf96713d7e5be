// SPDX-License-Identifier: Apache-2.0
#include "apps/trial/trial_judge.h"

#include <algorithm>
#include <numbers>

#include "fmt/format.h"

namespace tenon::apps::trial {
namespace {

constexpr double kAlpha = 0.05;
constexpr double kGrowth = 1.5;

std::string TooSlow(const char* what, const Estimate& increase, const std::optional<double>& most) {
  if (!most || increase.samples < 2 || increase.low <= *most) return "";
  return fmt::format(
      "{} is longer by {:.1f} % ({:.1f} % to {:.1f} % over {} requests); at most {:.1f} % allowed",
      what, 100 * increase.value, 100 * increase.low, 100 * increase.high, increase.samples,
      100 * *most);
}

}  // namespace

std::string TrialJudge::JudgeErrors(const ArmCounts& b) const {
  if (b.failed <= limits_.max_errors) return "";
  return fmt::format("{} of {} requests failed, the last with \"{}\"; at most {} may", b.failed,
                     b.begun, b.last_error, limits_.max_errors);
}

bool TrialJudge::Due(int64_t samples) const {
  const bool any = limits_.max_ttft_increase || limits_.max_tpot_increase || limits_.min_identical;
  return any && samples >= 2 &&
         static_cast<double>(samples) >= std::max(next_, static_cast<double>(limits_.min_requests));
}

double TrialJudge::Alpha() const {
  const double look = looks_ + 1;
  return kAlpha * 6 / (std::numbers::pi * std::numbers::pi * look * look);
}

std::string TrialJudge::Judge(const Summary& summary) {
  ++looks_;
  next_ = std::max(next_, static_cast<double>(limits_.min_requests)) * kGrowth;
  std::string why =
      TooSlow("time to first token", summary.first_token.relative, limits_.max_ttft_increase);
  if (why.empty()) {
    why = TooSlow("time per output token", summary.per_token.relative, limits_.max_tpot_increase);
  }
  const Estimate& identical = summary.outputs.identical_share;
  if (!why.empty() || !limits_.min_identical || identical.samples < 1) return why;
  if (identical.high >= *limits_.min_identical) return "";
  return fmt::format(
      "{:.1f} % of outputs are identical ({:.1f} % to {:.1f} % over {} requests); at least {:.1f} "
      "% "
      "wanted",
      100 * identical.value, 100 * identical.low, 100 * identical.high, identical.samples,
      100 * *limits_.min_identical);
}

}  // namespace tenon::apps::trial
