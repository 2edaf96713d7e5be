// SPDX-License-Identifier: Apache-2.0
#include "apps/compare/comparison.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace tenon::apps {
namespace {

// All speed rows together err in the share asked for, not each of them.
constexpr int kSpeedRows = 4;
constexpr int32_t kTop = 16;
constexpr size_t kWarmUps = 2;

// Both arms of one experiment.
class Experiment {
 public:
  Experiment(Session& a, Session& b, const CompareOptions& options, const volatile bool* stop,
             const std::function<void(double)>& progress)
      : arms_{&a, &b}, options_(options), stop_(stop), progress_(progress) {}

  Result<Comparison> Run(const std::vector<WorkItem>& items,
                         const std::vector<std::vector<int32_t>>& forced) {
    steps_ = options_.repeat * static_cast<int64_t>(items.size()) + Rounds() * 4 +
             (options_.quality ? static_cast<int64_t>(std::max(items.size(), forced.size())) : 0);
    TENON_RETURN_IF_ERROR(WarmUp(items));
    TENON_RETURN_IF_ERROR(Alone(items));
    TENON_RETURN_IF_ERROR(Together(items));
    if (options_.quality) TENON_RETURN_IF_ERROR(Forced(items, forced));
    return std::move(out_);
  }

 private:
  struct Times {
    std::vector<double> total, first, each;
  };

  int64_t Rounds() const { return std::max<int64_t>(4, 2 * int64_t{options_.repeat}); }

  void Done() {
    if (progress_) progress_(static_cast<double>(++done_) / static_cast<double>(steps_));
  }

  Result<void> WarmUp(const std::vector<WorkItem>& items) {
    for (size_t i = 0; i < std::min(kWarmUps, items.size()); ++i) {
      for (Session* arm : arms_) {
        auto trial = RunAlone(*arm, items[i], 0, stop_);
        TENON_RETURN_IF_ERROR(trial);
      }
    }
    for (Session* arm : arms_) {
      arm->program().SetTiming(true);
      arm->program().ResetTiming();
    }
    return {};
  }

  // One request alone, on A B B A or B A A B: what drifts evenly meets both alike.
  Result<void> Alone(const std::vector<WorkItem>& items) {
    std::vector<std::array<Times, 2>> times(items.size());
    first_.resize(items.size());
    for (int32_t round = 0; round < options_.repeat; ++round) {
      for (size_t i = 0; i < items.size(); ++i) {
        const size_t begins = (i + static_cast<size_t>(round)) % 2;
        for (const size_t arm : {begins, 1 - begins, 1 - begins, begins}) {
          auto trial = RunAlone(*arms_[arm], items[i], kTop, stop_);
          TENON_RETURN_IF_ERROR(trial);
          times[i][arm].total.push_back(trial->total_s);
          times[i][arm].first.push_back(trial->first_token_s);
          times[i][arm].each.push_back(trial->per_token_s);
          if (first_[i][arm].tokens.empty()) first_[i][arm] = std::move(*trial);
        }
        Done();
      }
    }
    AddRow("whole request", "ms", times, &Times::total);
    AddRow("time to first token", "ms", times, &Times::first);
    AddRow("time per output token", "ms", times, &Times::each);
    out_.plugins_a = SecondsByPlugin(arms_[0]->program());
    out_.plugins_b = SecondsByPlugin(arms_[1]->program());
    return {};
  }

  void AddRow(const char* name, const char* unit, const std::vector<std::array<Times, 2>>& times,
              std::vector<double> Times::*part) {
    SpeedRow row{name, unit, 0, 0, {}, {}, {}};
    std::vector<double> gains;
    for (const auto& [a, b] : times) {
      const double time_a = MedianOf(a.*part), time_b = MedianOf(b.*part);
      row.each_a.push_back(time_a * 1e3);
      row.each_b.push_back(time_b * 1e3);
      if (time_a > 0 && time_b > 0) gains.push_back(std::log(time_a / time_b));
    }
    row.a = MedianOf(row.each_a);
    row.b = MedianOf(row.each_b);
    row.gain = MeanOf(gains, options_.alpha / kSpeedRows);
    out_.speed.push_back(std::move(row));
  }

  Result<void> Together(const std::vector<WorkItem>& items) {
    std::vector<WorkItem> many;
    const size_t count =
        options_.requests > 0 ? static_cast<size_t>(options_.requests) : items.size();
    for (size_t i = 0; i < count; ++i) many.push_back(items[i % items.size()]);
    SpeedRow row{"throughput", "tok/s", 0, 0, {}, {}, {}};
    std::vector<double> gains;
    for (int64_t round = 0; round < Rounds(); ++round) {
      std::array<double, 2> logs{};
      const size_t begins = static_cast<size_t>(round) % 2;
      for (const size_t arm : {begins, 1 - begins, 1 - begins, begins}) {
        auto rate = RunTogether(*arms_[arm], many, options_.concurrency, stop_);
        TENON_RETURN_IF_ERROR(rate);
        logs[arm] += 0.5 * std::log(std::max(*rate, 1e-9));
        Done();
      }
      row.each_a.push_back(std::exp(logs[0]));
      row.each_b.push_back(std::exp(logs[1]));
      gains.push_back(logs[1] - logs[0]);
    }
    row.a = MedianOf(row.each_a);
    row.b = MedianOf(row.each_b);
    row.gain = MeanOf(gains, options_.alpha / kSpeedRows);
    out_.speed.push_back(std::move(row));
    return {};
  }

  // The prompt and what A made of it, cut to what may be forced.
  std::vector<int32_t> OwnText(const WorkItem& item, const Trial& trial) const {
    std::vector<int32_t> ids = item.prompt;
    ids.insert(ids.end(), trial.tokens.begin(), trial.tokens.end());
    const auto most = static_cast<size_t>(options_.window);
    if (ids.size() > most) ids.erase(ids.begin(), ids.end() - static_cast<std::ptrdiff_t>(most));
    return ids;
  }

  Result<void> Forced(const std::vector<WorkItem>& items,
                      const std::vector<std::vector<int32_t>>& given) {
    Quality quality;
    int64_t same = 0;
    for (size_t i = 0; i < items.size(); ++i) {
      const auto difference = FirstDifference(static_cast<int32_t>(i), first_[i][0], first_[i][1]);
      if (difference) quality.divergences.push_back(*difference);
      same += difference ? 0 : 1;
    }
    quality.identical = ShareOf(same, static_cast<int64_t>(items.size()), options_.alpha);
    std::vector<ForcedText> texts;
    const size_t count = given.empty() ? items.size() : given.size();
    for (size_t i = 0; i < count; ++i) {
      const std::vector<int32_t> ids = given.empty() ? OwnText(items[i], first_[i][0]) : given[i];
      if (ids.size() < 2) continue;
      auto text = CompareForced(*arms_[0], *arms_[1], ids, stop_);
      TENON_RETURN_IF_ERROR(text);
      texts.push_back(*text);
      Done();
    }
    Summarise(texts, quality);
    out_.quality = std::move(quality);
    return {};
  }

  void Summarise(const std::vector<ForcedText>& texts, Quality& out) const {
    std::vector<double> positions, kl, same, change;
    double nll_a = 0, nll_b = 0;
    for (const ForcedText& text : texts) {
      out.positions += text.positions;
      out.largest_kl = std::max(out.largest_kl, text.largest_kl);
      positions.push_back(static_cast<double>(text.positions));
      kl.push_back(text.kl);
      same.push_back(static_cast<double>(text.same_top));
      change.push_back(text.nll_b - text.nll_a);
      nll_a += text.nll_a;
      nll_b += text.nll_b;
    }
    out.kl = RatioOf(kl, positions, options_.alpha);
    out.same_top = RatioOf(same, positions, options_.alpha);
    out.nll_change = RatioOf(change, positions, options_.alpha);
    const auto all = static_cast<double>(std::max<int64_t>(out.positions, 1));
    out.ppl_a = std::exp(nll_a / all);
    out.ppl_b = std::exp(nll_b / all);
  }

  std::array<Session*, 2> arms_;
  const CompareOptions& options_;
  const volatile bool* stop_;
  const std::function<void(double)>& progress_;
  std::vector<std::array<Trial, 2>> first_;  // by prompt
  int64_t steps_ = 1, done_ = 0;
  Comparison out_;
};

}  // namespace

Result<Comparison> RunComparison(Session& a, Session& b, const std::vector<WorkItem>& items,
                                 const std::vector<std::vector<int32_t>>& forced,
                                 const CompareOptions& options, const volatile bool* stop,
                                 const std::function<void(double)>& progress) {
  return Experiment(a, b, options, stop, progress).Run(items, forced);
}

}  // namespace tenon::apps
