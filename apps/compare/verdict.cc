// SPDX-License-Identifier: Apache-2.0
#include "apps/compare/verdict.h"

#include <algorithm>
#include <cmath>

#include "fmt/format.h"

namespace tenon::apps {
namespace {

constexpr double kMostTimes = 10;  // what is harder to find is not said as a number

std::string Interval(const Estimate& gain) {
  return fmt::format("{:.3f} ({:.3f} to {:.3f})", std::exp(gain.value), std::exp(gain.low),
                     std::exp(gain.high));
}

std::string SpeedText(const Comparison& comparison, bool* found) {
  std::string text;
  double detectable = 0;
  for (const SpeedRow& row : comparison.speed) {
    detectable = std::max(detectable, row.gain.detectable);
    if (!row.gain.Found()) continue;
    *found = true;
    text += fmt::format("{}{}: B is {} by a factor of {}", text.empty() ? "" : "; ", row.name,
                        row.gain.value > 0 ? "faster" : "slower", Interval(row.gain));
  }
  if (text.empty() && !std::isfinite(detectable)) {
    return "speed: one repetition cannot tell a difference from where memory happened to lie; "
           "--repeat 5 can";
  }
  if (text.empty() && detectable > std::log(kMostTimes)) {
    return fmt::format("speed: no difference found; too few repetitions to find a factor of {:.0f}",
                       kMostTimes);
  }
  if (text.empty()) {
    return fmt::format("speed: no difference found; one of {:.1f} % would have been",
                       100 * (std::exp(detectable) - 1));
  }
  return "speed: " + text;
}

// Numbers are compared bit by bit here, so any difference is one.
std::string QualityText(const Quality& q, bool* found) {
  if (q.largest_kl == 0 && q.divergences.empty()) {
    return fmt::format("quality: the same bits at all {} positions", q.positions);
  }
  *found = true;
  const double ppl = 100 * (std::exp(q.nll_change.value) - 1);
  return fmt::format(
      "quality: KL {:.2g} nats a position, same first choice at {:.2f} % of {} positions, "
      "perplexity "
      "{:+.2f} % ({:+.2f} to {:+.2f}{}), {:.0f} % of outputs identical",
      q.kl.value, 100 * q.same_top.value, q.positions, ppl, 100 * (std::exp(q.nll_change.low) - 1),
      100 * (std::exp(q.nll_change.high) - 1), q.nll_change.Found() ? "" : ": none found",
      100 * q.identical.value);
}

void Require(bool kept, const std::string& failure, Verdict& verdict) {
  if (kept) return;
  verdict.passed = false;
  verdict.failures.push_back(failure);
}

}  // namespace

Verdict Judge(const Comparison& comparison, const Thresholds& thresholds) {
  Verdict out;
  out.text = SpeedText(comparison, &out.difference);
  if (comparison.quality) out.text += "\n" + QualityText(*comparison.quality, &out.difference);
  // Written so that NaN fails.
  if (thresholds.min_speedup) {
    const double speedup = std::exp(comparison.speed.at(0).gain.value);
    Require(speedup >= *thresholds.min_speedup,
            fmt::format("B is {:.3f} times as fast as A; at least {:.3f} asked for", speedup,
                        *thresholds.min_speedup),
            out);
  }
  if ((thresholds.max_kl || thresholds.max_ppl_increase) && !comparison.quality) {
    Require(false, "the arms share no vocabulary, so that their quality cannot be compared", out);
    return out;
  }
  if (thresholds.max_kl) {
    const double kl = comparison.quality->kl.value;
    Require(
        kl <= *thresholds.max_kl,
        fmt::format("KL is {:.3g} nats a position; at most {:.3g} allowed", kl, *thresholds.max_kl),
        out);
  }
  if (thresholds.max_ppl_increase) {
    const double increase = 100 * (std::exp(comparison.quality->nll_change.value) - 1);
    Require(increase <= *thresholds.max_ppl_increase,
            fmt::format("perplexity is {:+.3f} % of A's; at most {:+.3f} % allowed", increase,
                        *thresholds.max_ppl_increase),
            out);
  }
  return out;
}

}  // namespace tenon::apps
