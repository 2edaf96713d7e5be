// SPDX-License-Identifier: Apache-2.0
#include <cstdlib>

#include "tenon/testing/exercise.h"
#include "tenon/testing/families.h"
#include "tenon/testing/simulation.h"
#include "tenon/testing/stopwatch.h"
#include "tenon/testing/watch.h"

namespace tenon::testing {
namespace {

constexpr int32_t kPlenty = 1 << 20;
constexpr SimulatedPool kPools[] = {
    {400, 16, kPlenty, kPlenty},  // ample
    {40, 16, kPlenty, kPlenty},   // tight
    {6, 4, kPlenty, kPlenty},     // hardly anything
    {30, 1, 64, kPlenty},         // a block a token
    {4, 512, kPlenty, kPlenty},   // one block a sequence
    {40, 16, 7, 3},               // a tiny step
    {40, 16, 1, 1},               // one token a step
};

int32_t Default(const ComponentInfo& info, const char* name) {
  const OptionInfo* option = FindOption(info, name);
  return option == nullptr ? kPlenty : std::atoi(option->default_text);
}

Verdict HasLimits(const Subject& subject) {
  for (const char* name : {"max_batch_tokens", "max_sequences"}) {
    const OptionInfo* option = FindOption(*subject.component, name);
    if (option == nullptr || option->type != OptionType::kInt) {
      return Failed(std::string("has no whole number called ") + name + ", which the host reads");
    }
  }
  return Passed();
}

// Plays many random workloads, with its defaults and with small limits of its own; a failure where
// `rule` is the first one broken.
Verdict Keeps(const Subject& subject, Rule rule) {
  const ComponentInfo& info = *subject.component;
  KitHost host;
  int64_t steps = 0, preemptions = 0;
  for (const bool small : {false, true}) {
    std::map<std::string, std::string> options;
    SimulatedPool limits = {0, 0, Default(info, "max_batch_tokens"),
                            Default(info, "max_sequences")};
    if (small && HasLimits(subject).outcome == Outcome::kPassed) {
      options = {{"max_batch_tokens", "24"}, {"max_sequences", "4"}};
      limits = {0, 0, 24, 4};
    }
    const Instance made(info, &host, nullptr, options);
    auto* scheduler = made.As<Scheduler>();
    if (scheduler == nullptr) return Failed("not made: " + host.TakeFailure());
    for (const SimulatedPool& pool : kPools) {
      for (uint64_t seed = 1; seed <= 4; ++seed) {
        const SimulationEnd end =
            Simulate(*scheduler, pool, limits, RandomRequests(pool, 25, seed), seed);
        steps += end.steps;
        preemptions += end.preemptions;
        if (end.broken == rule) {
          return Failed(end.what + Text(" (%d blocks of %d tokens, seed %d)", pool.total_blocks,
                                        pool.block_tokens, static_cast<int>(seed)));
        }
        if (end.broken != Rule::kNone) return Skipped("another rule is broken first: " + end.what);
      }
    }
  }
  return Passed(Text("%lld steps, %lld preemptions", static_cast<long long>(steps),
                     static_cast<long long>(preemptions)));
}

Verdict Empty(const Subject& subject) {
  KitHost host;
  const Instance made(*subject.component, &host, nullptr);
  auto* scheduler = made.As<Scheduler>();
  if (scheduler == nullptr) return Failed("not made: " + host.TakeFailure());
  const SchedulerView view = {5, {}, {}, 10, 10, 16, 512, 64};
  Grant grant{};
  uint64_t preempted = 0;
  SchedulePlan plan = {&grant, 9, &preempted, 9, 0};
  if (scheduler->Schedule(view, &plan) != Status::kOk) return Failed("fails on an empty view");
  if (plan.grant_count != 0 || plan.preempted_count != 0) return Failed("plans nobody's tokens");
  return Passed();
}

Verdict Time(const Subject& subject) {
  KitHost host;
  const Instance made(*subject.component, &host, nullptr);
  auto* scheduler = made.As<Scheduler>();
  if (scheduler == nullptr) return Skipped("not made");
  std::vector<SequenceState> waiting, running;
  for (uint64_t i = 0; i < 64; ++i) {
    waiting.push_back({i, static_cast<int64_t>(i), 0, 200, 0, 0, 0, 0});
    running.push_back({100 + i, 0, 0, 300, 299, 0, 19, 0});
  }
  const SchedulerView view = {
      1000, {waiting.data(), 64}, {running.data(), 64}, 500, 2000, 16, 512, kPlenty};
  std::vector<Grant> grants(128);
  std::vector<uint64_t> preempted(64);
  SchedulePlan plan = {grants.data(), 0, preempted.data(), 0, 0};
  const double seconds = FastestSeconds(
      [&] { [[maybe_unused]] const Status status = scheduler->Schedule(view, &plan); });
  return Passed(Text("64 running, 64 waiting: %.1f us", seconds * 1e6));
}

class Scheduling final : public Exercise {
 public:
  Scheduling(const Instance& instance, uint64_t seed)
      : scheduler_(instance.As<Scheduler>()), seed_(seed) {}

  std::vector<double> Run() override {
    if (scheduler_ == nullptr) return {};
    const SimulatedPool& pool = kPools[1];
    const SimulationEnd end =
        Simulate(*scheduler_, pool, kPools[0], RandomRequests(pool, 15, seed_), seed_);
    return {end.trace.begin(), end.trace.end()};
  }

 private:
  Scheduler* scheduler_;
  uint64_t seed_;
};

}  // namespace

std::unique_ptr<Exercise> SchedulerExercise(const Instance& instance, uint64_t seed) {
  return std::make_unique<Scheduling>(instance, seed);
}

void AddSchedulerTests(const ComponentInfo&, std::vector<Test>* tests) {
  const struct {
    const char* name;
    Rule rule;
  } rules[] = {{"scheduler.plan.sound", Rule::kPlan},
               {"scheduler.plan.budget", Rule::kBudget},
               {"scheduler.plan.blocks", Rule::kBlocks},
               {"scheduler.plan.pure", Rule::kPure},
               {"scheduler.play.nobody_starves", Rule::kStarve}};
  tests->push_back({"scheduler.options.limits", HasLimits});
  tests->push_back({"scheduler.plan.empty", Empty});
  for (const auto& test : rules) {
    tests->push_back(
        {test.name, [rule = test.rule](const Subject& subject) { return Keeps(subject, rule); }});
  }
  tests->push_back({"scheduler.cost.time", Time});
}

}  // namespace tenon::testing
