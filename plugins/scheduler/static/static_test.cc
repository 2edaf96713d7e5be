// SPDX-License-Identifier: Apache-2.0
#include "plugins/scheduler/static/static.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "plugins/scheduler/common/made_component.h"
#include "plugins/scheduler/common/simulator.h"

extern "C" const tenon::PluginInfo* tenon_plugin_v1_scheduler_static();

namespace tenon::scheduler {
namespace {

using testing::MadeComponent;

TEST(StaticScheduler, KeepsItsPromisesOnEveryWorkload) {
  MadeComponent made(tenon_plugin_v1_scheduler_static(), "static",
                     {{"max_batch_tokens", "128"}, {"max_sequences", "16"}});
  ASSERT_NE(made.Get<Scheduler>(), nullptr) << made.failure();
  int32_t preemptions = 0;
  EXPECT_EQ(PlayMany(*made.Get<Scheduler>(), {128, 16}, &preemptions), "");
  EXPECT_GT(preemptions, 0);
}

TEST(StaticScheduler, NobodyJoinsWhileABatchRuns) {
  MadeComponent made(tenon_plugin_v1_scheduler_static(), "static");
  const Pool pool = {400, 16, 512, 64};
  const Play play =
      PlayAll(*made.Get<Scheduler>(), pool, {512, 64}, RandomRequests(pool, 60, 3), 3);
  ASSERT_EQ(play.violation, "");
  int32_t batches = 0;
  for (const PlayedStep& step : play.steps) {
    if (step.running.empty()) {
      ++batches;
      continue;
    }
    for (const Grant& grant : step.grants) {
      EXPECT_TRUE(std::any_of(step.running.begin(), step.running.end(),
                              [&](const SequenceState& s) { return s.id == grant.id; }));
    }
  }
  EXPECT_GT(batches, 3);
}

TEST(StaticScheduler, AdmitsTheWholeBatchInOneStep) {
  MadeComponent made(tenon_plugin_v1_scheduler_static(), "static", {{"max_batch_tokens", "100"}});
  const std::vector<SequenceState> waiting = {
      {1, 0, 0, 90, 0, 0, 0}, {2, 0, 0, 90, 0, 0, 0}, {3, 0, 0, 5, 0, 0, 0}};
  const SchedulerView view = {0, {waiting.data(), 3}, {}, 100, 100, 16, 512, 64};
  PlayedStep step;
  ASSERT_EQ(CallOnce(*made.Get<Scheduler>(), view, {100, 64}, &step), "");
  ASSERT_EQ(step.grants.size(), 3u);
  EXPECT_EQ(step.grants[0].tokens, 90);
  EXPECT_EQ(step.grants[1].tokens, 9);
  EXPECT_EQ(step.grants[2].tokens, 1);
}

TEST(StaticScheduler, RefusesAViewWithoutBlocksOrRoom) {
  MadeComponent made(tenon_plugin_v1_scheduler_static(), "static");
  SchedulePlan plan = {};
  const SchedulerView no_block_size = {0, {}, {}, 1, 1, 0, 512, 64};
  EXPECT_EQ(made.Get<Scheduler>()->Schedule(no_block_size, &plan), Status::kInvalid);
  EXPECT_NE(made.failure().find("block_tokens"), std::string::npos);
  const SchedulerView no_tokens = {0, {}, {}, 1, 1, 16, 0, 64};
  EXPECT_EQ(made.Get<Scheduler>()->Schedule(no_tokens, &plan), Status::kInvalid);
}

TEST(StaticScheduler, LetsNobodyWaitHalfAMinuteWhileOthersRun) {
  MadeComponent made(tenon_plugin_v1_scheduler_static(), "static",
                     {{"max_batch_tokens", "64"}, {"max_sequences", "4"}});
  std::string violation;
  EXPECT_LT(LongestWaitUnderPressure(*made.Get<Scheduler>(), &violation), 30'000'000);
  EXPECT_EQ(violation, "");
}

}  // namespace
}  // namespace tenon::scheduler
