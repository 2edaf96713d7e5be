// SPDX-License-Identifier: Apache-2.0
#include "plugins/scheduler/dynamic/dynamic.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "plugins/scheduler/common/made_component.h"
#include "plugins/scheduler/common/simulator.h"

extern "C" const tenon::PluginInfo* tenon_plugin_v1_scheduler_dynamic();

namespace tenon::scheduler {
namespace {

using testing::MadeComponent;

TEST(DynamicScheduler, KeepsItsPromisesOnEveryWorkload) {
  MadeComponent made(tenon_plugin_v1_scheduler_dynamic(), "dynamic",
                     {{"max_batch_tokens", "128"}, {"max_sequences", "16"}});
  ASSERT_NE(made.Get<Scheduler>(), nullptr) << made.failure();
  int32_t preemptions = 0;
  EXPECT_EQ(PlayMany(*made.Get<Scheduler>(), {128, 16}, &preemptions), "");
  EXPECT_GT(preemptions, 0);
}

PlayedStep Decide(const std::vector<SequenceState>& waiting, int64_t now_us, int32_t free_blocks) {
  MadeComponent made(tenon_plugin_v1_scheduler_dynamic(), "dynamic",
                     {{"window_us", "1000"}, {"max_sequences", "3"}});
  const SchedulerView view = {
      now_us, {waiting.data(), waiting.size()}, {}, free_blocks, 100, 16, 512, 64};
  PlayedStep step;
  EXPECT_EQ(CallOnce(*made.Get<Scheduler>(), view, {512, 3}, &step), "");
  return step;
}

TEST(DynamicScheduler, WaitsForTheRestOfTheWindowOfTheOldest) {
  const PlayedStep step = Decide({{1, 500, 0, 9, 0, 0, 0}, {2, 700, 0, 9, 0, 0, 0}}, 800, 100);
  EXPECT_TRUE(step.grants.empty());
  EXPECT_EQ(step.wait_us, 700);
}

TEST(DynamicScheduler, StartsWhenTheWindowIsOver) {
  const PlayedStep step = Decide({{1, 500, 0, 9, 0, 0, 0}, {2, 700, 0, 9, 0, 0, 0}}, 1500, 100);
  EXPECT_EQ(step.grants.size(), 2u);
}

TEST(DynamicScheduler, StartsAtOnceWhenTheBatchIsFull) {
  const PlayedStep by_places = Decide(
      {{1, 0, 0, 9, 0, 0, 0}, {2, 0, 0, 9, 0, 0, 0}, {3, 0, 0, 9, 0, 0, 0}, {4, 0, 0, 9, 0, 0, 0}},
      0, 100);
  EXPECT_EQ(by_places.grants.size(), 3u);
  const PlayedStep by_blocks = Decide({{1, 0, 0, 9, 0, 0, 0}, {2, 0, 0, 900, 0, 0, 0}}, 0, 50);
  EXPECT_EQ(by_blocks.grants.size(), 1u);
}

TEST(DynamicScheduler, NeverWaitsLongerThanTheWindowWhereTheClockStoodBack) {
  const PlayedStep step = Decide({{1, 5000000, 0, 9, 0, 0, 0}}, 0, 100);
  EXPECT_EQ(step.wait_us, 1000);
}

TEST(DynamicScheduler, SleepsWithoutAnEndWhenNobodyWaits) {
  EXPECT_EQ(Decide({}, 0, 100).wait_us, -1);
}

TEST(DynamicScheduler, GathersMoreThanStaticWould) {
  MadeComponent made(tenon_plugin_v1_scheduler_dynamic(), "dynamic", {{"window_us", "20000"}});
  std::vector<Request> requests;
  for (int32_t i = 0; i < 10; ++i) requests.push_back({i * 1500, 20, 10});
  const Play play = PlayAll(*made.Get<Scheduler>(), {400, 16, 512, 64}, {512, 64}, requests, 1);
  ASSERT_EQ(play.violation, "");
  size_t largest = 0;
  for (const PlayedStep& step : play.steps) largest = std::max(largest, step.grants.size());
  EXPECT_EQ(largest, 10u);
}

TEST(DynamicScheduler, LetsNobodyWaitHalfAMinuteWhileOthersRun) {
  MadeComponent made(tenon_plugin_v1_scheduler_dynamic(), "dynamic",
                     {{"max_batch_tokens", "64"}, {"max_sequences", "4"}});
  std::string violation;
  EXPECT_LT(LongestWaitUnderPressure(*made.Get<Scheduler>(), &violation), 30'000'000);
  EXPECT_EQ(violation, "");
}

}  // namespace
}  // namespace tenon::scheduler
