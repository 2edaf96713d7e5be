// SPDX-License-Identifier: Apache-2.0
#include "apps/cli/comparison_arguments.h"

#include <charconv>

#include "fmt/format.h"

namespace tenon::apps {
namespace {

// A share such as "10%" or "0.1", from 0 to `most`, as a plain number.
CLI::Validator Share(double most) {
  return CLI::Validator(
      [most](std::string& text) {
        const bool percent = text.ends_with('%');
        const char* end = text.data() + text.size() - (percent ? 1 : 0);
        double value = 0;
        const auto [stop, error] = std::from_chars(text.data(), end, value);
        if (percent) value /= 100;
        if (error != std::errc{} || stop != end || !(value >= 0 && value <= most)) {
          return fmt::format("\"{}\"; 0% to {:.0f}% allowed", text, 100 * most);
        }
        text = fmt::format("{}", value);
        return std::string();
      },
      fmt::format("0% to {:.0f}%", 100 * most));
}

}  // namespace

void AddComparison(CLI::App& command, ComparisonArguments& out) {
  trial::TrialOptions& trial = out.trial;
  trial::TrialLimits& limits = trial.limits;
  constexpr double kMostIncrease = 1000;
  CLI::Option* compare = command.add_option(
      "--compare", out.pipeline,
      "another pipeline, tried beside the only PIPELINE; GET /admin/compare tells how it does");
  const auto add = [&](CLI::Option* option) { return option->needs(compare); };
  add(command.add_option("--compare-set", out.overrides,
                         "override one value of the other pipeline, behind --set"))
      ->allow_extra_args(false);
  add(command.add_option("--split", trial.share,
                         "share of requests that the other answers, by user or else by request "
                         "id (with --shadow: that it is given too, default 100%)"))
      ->transform(Share(1));
  add(command.add_flag("--shadow", trial.shadow,
                       "both get the request, and the other's output is thrown away"));
  add(command.add_option("--compare-max-shadows", trial.max_shadows,
                         "shadows open at a time; beyond, requests are not shadowed"))
      ->check(CLI::Range(1, 1 << 16))
      ->capture_default_str();
  add(command.add_option("--compare-max-errors", limits.max_errors,
                         "failures that the other may have before it is rolled back"))
      ->check(CLI::Range(int64_t{0}, int64_t{1} << 40))
      ->capture_default_str();
  add(command.add_option("--compare-min-requests", limits.min_requests,
                         "requests that each must have done before the limits below are judged"))
      ->check(CLI::Range(int64_t{2}, int64_t{1} << 40))
      ->capture_default_str();
  add(command.add_option("--compare-max-ttft-increase", limits.max_ttft_increase,
                         "how much longer its mean time to first token may be before it is rolled "
                         "back (default 50%; with --shadow any)"))
      ->transform(Share(kMostIncrease));
  add(command.add_option("--compare-max-tpot-increase", limits.max_tpot_increase,
                         "the same of its mean time per output token"))
      ->transform(Share(kMostIncrease));
  add(command.add_option("--compare-min-identical", limits.min_identical,
                         "with --shadow: share of outputs that must be the same (default any)"))
      ->transform(Share(1));
}

void CheckComparison(const CLI::App& command, size_t pipelines, size_t workers,
                     ComparisonArguments* arguments) {
  if (arguments->pipeline.empty()) return;
  trial::TrialOptions& trial = arguments->trial;
  if (pipelines != 1 || workers > 0) {
    throw CLI::ValidationError("--compare",
                               "exactly one PIPELINE, and no --worker, can be compared");
  }
  if (!trial.shadow && command.count("--split") == 0) {
    throw CLI::ValidationError("--compare", "--split SHARE or --shadow is wanted with it");
  }
  if (!trial.shadow && trial.limits.min_identical) {
    throw CLI::ValidationError("--compare-min-identical", "needs --shadow");
  }
  if (trial.shadow) return;
  constexpr double kIncrease = 0.5;
  trial::TrialLimits& limits = trial.limits;
  limits.max_ttft_increase = limits.max_ttft_increase.value_or(kIncrease);
  limits.max_tpot_increase = limits.max_tpot_increase.value_or(kIncrease);
}

}  // namespace tenon::apps
