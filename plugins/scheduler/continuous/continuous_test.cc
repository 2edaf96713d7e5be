// SPDX-License-Identifier: Apache-2.0
#include "plugins/scheduler/continuous/continuous.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "plugins/scheduler/common/made_component.h"
#include "plugins/scheduler/common/simulator.h"

extern "C" const tenon::PluginInfo* tenon_plugin_v1_scheduler_continuous();

namespace tenon::scheduler {
namespace {

using testing::MadeComponent;

TEST(ContinuousScheduler, KeepsItsPromisesOnEveryWorkload) {
  MadeComponent made(tenon_plugin_v1_scheduler_continuous(), "continuous",
                     {{"max_batch_tokens", "128"}, {"max_sequences", "16"}});
  ASSERT_NE(made.Get<Scheduler>(), nullptr) << made.failure();
  int32_t preemptions = 0;
  EXPECT_EQ(PlayMany(*made.Get<Scheduler>(), {128, 16}, &preemptions), "");
  EXPECT_GT(preemptions, 0);
}

PlayedStep Decide(const std::vector<SequenceState>& waiting,
                  const std::vector<SequenceState>& running, int32_t free_blocks) {
  MadeComponent made(tenon_plugin_v1_scheduler_continuous(), "continuous",
                     {{"max_batch_tokens", "100"}});
  const SchedulerView view = {0,
                              {waiting.data(), waiting.size()},
                              {running.data(), running.size()},
                              free_blocks,
                              100,
                              16,
                              512,
                              64};
  PlayedStep step;
  EXPECT_EQ(CallOnce(*made.Get<Scheduler>(), view, {100, 64}, &step), "");
  return step;
}

TEST(ContinuousScheduler, AdmitsBesideThoseWhoDecode) {
  const PlayedStep step = Decide({{2, 9, 0, 40, 0, 0, 0}}, {{1, 0, 0, 30, 29, 0, 2}}, 50);
  ASSERT_EQ(step.grants.size(), 2u);
  EXPECT_EQ(step.grants[0].tokens, 1);
  EXPECT_EQ(step.grants[1].tokens, 40);
}

TEST(ContinuousScheduler, TakesPromptsWhole) {
  const PlayedStep step =
      Decide({{2, 8, 0, 60, 0, 0, 0}, {3, 9, 0, 60, 0, 0, 0}}, {{1, 0, 0, 30, 29, 0, 2}}, 50);
  ASSERT_EQ(step.grants.size(), 2u);
  EXPECT_EQ(step.grants[1].id, 2u);
  EXPECT_EQ(step.grants[1].tokens, 60);
}

TEST(ContinuousScheduler, TakesAPromptLargerThanAStepInPieces) {
  const PlayedStep first = Decide({{2, 8, 0, 250, 0, 0, 0}}, {{1, 0, 0, 30, 29, 0, 2}}, 50);
  ASSERT_EQ(first.grants.size(), 2u);
  EXPECT_EQ(first.grants[1].tokens, 99);
  const PlayedStep second = Decide({}, {{1, 0, 0, 31, 30, 0, 2}, {2, 8, 0, 250, 99, 0, 7}}, 43);
  ASSERT_EQ(second.grants.size(), 2u);
  EXPECT_EQ(second.grants[1].tokens, 99);
}

TEST(ContinuousScheduler, RecomputesTheYoungestWhenBlocksRunOut) {
  const PlayedStep step =
      Decide({}, {{1, 0, 0, 17, 16, 0, 1}, {2, 5, 0, 17, 16, 0, 1}, {3, 9, 0, 17, 16, 0, 1}}, 0);
  EXPECT_EQ(step.preempted, (std::vector<uint64_t>{3}));
  ASSERT_EQ(step.grants.size(), 1u);
  EXPECT_EQ(step.grants[0].id, 1u);
}

TEST(ContinuousScheduler, AdmitsByPriorityThenByArrival) {
  const PlayedStep step =
      Decide({{1, 0, 0, 50, 0, 0, 0}, {2, 1, 7, 50, 0, 0, 0}, {3, 2, 0, 50, 0, 0, 0}}, {}, 50);
  ASSERT_EQ(step.grants.size(), 2u);
  EXPECT_EQ(step.grants[0].id, 2u);
  EXPECT_EQ(step.grants[1].id, 1u);
}

}  // namespace
}  // namespace tenon::scheduler
