// SPDX-License-Identifier: Apache-2.0
#include "apps/compare/comparison.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace tenon::apps {
namespace {

// All speed rows together err in the share asked for, not each of them.
constexpr int kSpeedRows = 4;
constexpr int kTogether = 2;  // throughput runs of an instance, each A B B A
constexpr int32_t kTop = 16;
constexpr size_t kWarmUps = 2;

// What two arms took, in turn.
using Pair = std::array<std::vector<double>, 2>;

// Not a number where there is no time to compare, as of the tokens after the first where there is
// one.
double LogGain(const Pair& seconds) {
  const double a = MedianOf(seconds[0]), b = MedianOf(seconds[1]);
  return a > 0 && b > 0 ? std::log(a / b) : std::nan("");
}

double MeanOfNumbers(const std::vector<double>& values) {
  double sum = 0, count = 0;
  for (const double value : values) {
    if (std::isnan(value)) continue;
    sum += value;
    ++count;
  }
  return count > 0 ? sum / count : std::nan("");
}

// Of log gains by instance and prompt. What differs from prompt to prompt and what differs from
// instance to instance are both chance, so that the wider of the two intervals counts.
Estimate GainOf(const std::vector<std::vector<double>>& gains, double alpha) {
  std::vector<double> by_instance, by_prompt;
  const auto add = [](const std::vector<double>& values, std::vector<double>& means) {
    const double mean = MeanOfNumbers(values);
    if (!std::isnan(mean)) means.push_back(mean);
  };
  for (const std::vector<double>& instance : gains) add(instance, by_instance);
  for (size_t i = 0; !gains.empty() && i < gains[0].size(); ++i) {
    std::vector<double> prompt;
    for (const std::vector<double>& instance : gains) prompt.push_back(instance[i]);
    add(prompt, by_prompt);
  }
  return WiderOf(MeanOf(by_prompt, alpha), MeanOf(by_instance, alpha));
}

// Both arms of one experiment.
class Experiment {
 public:
  Experiment(Arm& a, Arm& b, const CompareOptions& options, const volatile bool* stop,
             const std::function<void(double)>& progress)
      : arms_{&a, &b}, options_(options), stop_(stop), progress_(progress) {}

  Result<Comparison> Run(const std::vector<WorkItem>& items,
                         const std::vector<std::vector<int32_t>>& forced) {
    const auto prompts = static_cast<int64_t>(items.size());
    steps_ = options_.repeat * (prompts + kTogether) +
             (options_.quality ? std::max(prompts, static_cast<int64_t>(forced.size())) : 0);
    first_.resize(items.size());
    seconds_.resize(items.size());
    for (int32_t instance = 0; instance < options_.repeat; ++instance) {
      if (instance > 0) TENON_RETURN_IF_ERROR(Reopen(instance));
      TENON_RETURN_IF_ERROR(WarmUp(items));
      TENON_RETURN_IF_ERROR(Alone(items, instance));
      AddSeconds();
      TENON_RETURN_IF_ERROR(Together(items));
    }
    AddRows();
    if (options_.quality) TENON_RETURN_IF_ERROR(Forced(items, forced));
    return std::move(out_);
  }

 private:
  // Of one property: seconds by prompt, and log gains by instance and prompt.
  struct Property {
    const char* name;
    double Trial::*part;
    std::vector<std::vector<double>> gains;
  };

  Session& At(size_t arm) { return *arms_[arm]->session; }

  void Done() {
    if (progress_) progress_(static_cast<double>(++done_) / static_cast<double>(steps_));
  }

  // Where memory happens to lie makes one instance of a pipeline some per cent faster than the
  // next: Mytkowicz et al. 2009, "Producing Wrong Data Without Doing Anything Obviously Wrong!".
  // So each repetition has instances of its own, opened in turn A first and B first.
  Result<void> Reopen(int32_t instance) {
    for (Arm* arm : arms_) arm->session.reset();
    const auto begins = static_cast<size_t>(instance % 2);
    for (const size_t arm : {begins, 1 - begins}) {
      auto session = Session::Open(arms_[arm]->options);
      TENON_RETURN_IF_ERROR(session);
      arms_[arm]->session = std::move(*session);
    }
    return {};
  }

  Result<void> WarmUp(const std::vector<WorkItem>& items) {
    for (size_t i = 0; i < std::min(kWarmUps, items.size()); ++i) {
      for (const size_t arm : {0, 1}) {
        auto trial = RunAlone(At(arm), items[i], 0, stop_);
        TENON_RETURN_IF_ERROR(trial);
      }
    }
    for (const size_t arm : {0, 1}) {
      At(arm).program().SetTiming(true);
      At(arm).program().ResetTiming();
    }
    return {};
  }

  // One request alone, on A B B A or B A A B: what drifts evenly meets both alike.
  Result<void> Alone(const std::vector<WorkItem>& items, int32_t instance) {
    for (Property& property : properties_) property.gains.emplace_back();
    for (size_t i = 0; i < items.size(); ++i) {
      std::array<Pair, 3> now;
      const size_t begins = (i + static_cast<size_t>(instance)) % 2;
      for (const size_t arm : {begins, 1 - begins, 1 - begins, begins}) {
        auto trial = RunAlone(At(arm), items[i], kTop, stop_);
        TENON_RETURN_IF_ERROR(trial);
        for (size_t p = 0; p < properties_.size(); ++p) {
          const double seconds = (*trial).*properties_[p].part;
          now[p][arm].push_back(seconds);
          seconds_[i][p][arm].push_back(seconds);
        }
        if (first_[i][arm].tokens.empty()) first_[i][arm] = std::move(*trial);
      }
      for (size_t p = 0; p < properties_.size(); ++p) {
        properties_[p].gains.back().push_back(LogGain(now[p]));
      }
      Done();
    }
    return {};
  }

  void AddSeconds() {
    for (const size_t arm : {0, 1}) {
      auto& plugins = arm == 0 ? out_.plugins_a : out_.plugins_b;
      for (const auto& [name, seconds] : SecondsByPlugin(At(arm).program())) {
        plugins[name] += seconds;
      }
    }
  }

  void AddRows() {
    for (size_t p = 0; p < properties_.size(); ++p) {
      SpeedRow row{properties_[p].name, "ms", 0, 0, {}, {}, {}};
      for (const std::array<Pair, 3>& prompt : seconds_) {
        row.each_a.push_back(MedianOf(prompt[p][0]) * 1e3);
        row.each_b.push_back(MedianOf(prompt[p][1]) * 1e3);
      }
      row.a = MedianOf(row.each_a);
      row.b = MedianOf(row.each_b);
      row.gain = GainOf(properties_[p].gains, options_.alpha / kSpeedRows);
      out_.speed.push_back(std::move(row));
    }
    throughput_.a = MedianOf(throughput_.each_a);
    throughput_.b = MedianOf(throughput_.each_b);
    throughput_.gain = MeanOf(together_, options_.alpha / kSpeedRows);
    out_.speed.push_back(std::move(throughput_));
  }

  Result<void> Together(const std::vector<WorkItem>& items) {
    std::vector<WorkItem> many;
    const size_t count =
        options_.requests > 0 ? static_cast<size_t>(options_.requests) : items.size();
    for (size_t i = 0; i < count; ++i) many.push_back(items[i % items.size()]);
    std::array<double, 2> logs{};  // of the instance's mean rates
    for (size_t round = 0; round < kTogether; ++round) {
      for (const size_t arm : {round, 1 - round, 1 - round, round}) {
        auto rate = RunTogether(At(arm), many, options_.concurrency, stop_);
        TENON_RETURN_IF_ERROR(rate);
        logs[arm] += std::log(std::max(*rate, 1e-9)) / (2 * kTogether);
      }
      Done();
    }
    throughput_.each_a.push_back(std::exp(logs[0]));
    throughput_.each_b.push_back(std::exp(logs[1]));
    together_.push_back(logs[1] - logs[0]);
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
      auto text = CompareForced(At(0), At(1), ids, stop_);
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

  std::array<Arm*, 2> arms_;
  const CompareOptions& options_;
  const volatile bool* stop_;
  const std::function<void(double)>& progress_;
  std::vector<std::array<Trial, 2>> first_;   // by prompt
  std::vector<std::array<Pair, 3>> seconds_;  // by prompt and property
  std::array<Property, 3> properties_ = {{{"whole request", &Trial::total_s, {}},
                                          {"time to first token", &Trial::first_token_s, {}},
                                          {"time per output token", &Trial::per_token_s, {}}}};
  SpeedRow throughput_{"throughput", "tok/s", 0, 0, {}, {}, {}};
  std::vector<double> together_;  // log gains by instance
  int64_t steps_ = 1, done_ = 0;
  Comparison out_;
};

}  // namespace

Result<Comparison> RunComparison(Arm& a, Arm& b, const std::vector<WorkItem>& items,
                                 const std::vector<std::vector<int32_t>>& forced,
                                 const CompareOptions& options, const volatile bool* stop,
                                 const std::function<void(double)>& progress) {
  return Experiment(a, b, options, stop, progress).Run(items, forced);
}

}  // namespace tenon::apps
