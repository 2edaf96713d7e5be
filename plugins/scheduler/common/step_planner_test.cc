// SPDX-License-Identifier: Apache-2.0
#include "plugins/scheduler/common/step_planner.h"

#include <gtest/gtest.h>

#include <vector>

#include "plugins/scheduler/common/admission.h"
#include "plugins/scheduler/common/priority_order.h"

namespace tenon::scheduler {
namespace {

// id, arrival, priority, known, computed, drafts, blocks, preemptions, shared, most, since
using States = std::vector<SequenceState>;

struct Planned {
  std::vector<Grant> grants{64};
  std::vector<uint64_t> preempted{std::vector<uint64_t>(64)};
  SchedulePlan plan{grants.data(), 0, preempted.data(), 0, 0};

  int32_t TokensOf(uint64_t id) const {
    for (uint32_t i = 0; i < plan.grant_count; ++i) {
      if (grants[i].id == id) return grants[i].tokens;
    }
    return 0;
  }
};

SchedulerView View(const States& waiting, const States& running, int32_t free, int32_t total,
                   int32_t block_tokens = 4) {
  return {0,
          {waiting.data(), waiting.size()},
          {running.data(), running.size()},
          free,
          total,
          block_tokens,
          512,
          64};
}

TEST(PriorityOrder, VisitsHigherPrioritiesFirstAndKeepsTheListOrderWithinOne) {
  const States states = {{0, 0, 1}, {1, 0, 5}, {2, 0, 1}, {3, 0, INT32_MIN}, {4, 0, 5}, {5, 0, -3}};
  PriorityOrder order({states.data(), states.size()});
  std::vector<uint64_t> seen;
  while (const SequenceState* s = order.Next()) seen.push_back(s->id);
  EXPECT_EQ(seen, (std::vector<uint64_t>{1, 4, 0, 2, 5, 3}));
}

TEST(StepPlanner, NeverSendsBackWhoWasSentBackTooOften) {
  const States running = {{0, 10, 0, 5, 4, 0, 1}, {1, 30, 0, 5, 4, 0, 1, kMostPreemptions, 0, 8}};
  Planned planned;
  // One block is free, and belongs to the one that stays.
  const SchedulerView view = View({}, running, 1, 3);
  StepPlanner planner(view, {512, 64}, &planned.plan);
  planner.GrantDecodes();
  EXPECT_EQ(planned.plan.preempted_count, 0U);
  EXPECT_EQ(planned.TokensOf(0), 0);
  EXPECT_EQ(planned.TokensOf(1), 1);
}

TEST(StepPlanner, AdmitsWhoStaysOnlyWithBlocksForAllThatMayCome) {
  const States waiting = {{0, 0, 0, 8, 0, 0, 0, kMostPreemptions, 0, 40},
                          {1, 0, 0, 8, 0, 0, 0, 0, 0, 40}};
  Planned planned;
  const SchedulerView nine = View(waiting, {}, 9, 20);
  EXPECT_FALSE(StepPlanner(nine, {512, 64}, &planned.plan).Fits(waiting[0]));
  EXPECT_TRUE(StepPlanner(nine, {512, 64}, &planned.plan).Fits(waiting[1]));
  const SchedulerView eleven = View(waiting, {}, 11, 20);
  StepPlanner planner(eleven, {512, 64}, &planned.plan);
  ASSERT_TRUE(planner.Fits(waiting[0]));
  planner.Admit(waiting[0], 8);
  EXPECT_FALSE(planner.Fits(waiting[1]));  // one block is not reserved, two are needed
}

TEST(StepPlanner, CountsOnlyBlocksThatNobodyElseHolds) {
  const States running = {{0, 10, 0, 9, 4, 0, 1}, {1, 30, 0, 9, 8, 0, 3, 0, 2}};
  Planned planned;
  const SchedulerView view = View({}, running, 0, 4);
  StepPlanner planner(view, {512, 64}, &planned.plan);
  int32_t tokens = 512;
  planner.GrantPrefills(&tokens);
  EXPECT_EQ(planned.plan.preempted_count, 1U);
  EXPECT_EQ(planned.TokensOf(0), 4);  // one block, not three
}

TEST(Admission, GivesTheLongestWaitingThePlaceOfWhoRanForLongest) {
  const States waiting = {{0, 0, 5, 4, 0, 0, 0, 0, 0, 9, 9'000'000},
                          {1, 0, 0, 4, 0, 0, 0, 0, 0, 9, 1'000'000}};
  const States running = {{2, 0, 9, 5, 4, 0, 2, 0, 0, 9, 5'000'000},
                          {3, 0, 9, 5, 4, 0, 2, 0, 0, 9, 4'000'000}};
  SchedulerView view = View(waiting, running, 40, 44);
  for (const int64_t now_us : {20'900'000, 21'100'000}) {
    Planned planned;
    view.now_us = now_us;
    StepPlanner planner(view, {512, 2}, &planned.plan);
    EXPECT_TRUE(AdmitLongWaiting(view, planner, 512));
    const bool waited_long = now_us > 21'000'000;
    EXPECT_EQ(planned.plan.preempted_count, waited_long ? 1U : 0U);
    EXPECT_EQ(planned.TokensOf(1), waited_long ? 4 : 0);
    EXPECT_EQ(planned.preempted[0], waited_long ? 3U : 0U);
  }
}

TEST(Admission, KeepsEverybodyBackWhileBlocksGatherForTheLongestWaiting) {
  const States waiting = {{1, 0, 0, 40, 0, 0, 0, 0, 0, 50, 1'000'000}};
  const States running = {{2, 0, 0, 5, 4, 0, 2, 0, 0, 9, 29'500'000}};
  SchedulerView view = View(waiting, running, 9, 11);
  view.now_us = 30'000'000;
  Planned planned;
  StepPlanner planner(view, {512, 4}, &planned.plan);
  EXPECT_FALSE(AdmitLongWaiting(view, planner, 512));  // somebody joined half a second ago
  EXPECT_EQ(planned.plan.preempted_count, 0U);
}

TEST(PriorityOrder, OfNothingIsOver) {
  PriorityOrder order({});
  EXPECT_EQ(order.Next(), nullptr);
}

TEST(StepPlanner, PreemptsTheYoungestOfTheLowestPriority) {
  // All blocks are full and none is free: 0 needs one. 3 is the latest, but 2 matters less.
  const States running = {{0, 10, 0, 5, 4, 0, 1},
                          {1, 30, 0, 5, 4, 0, 1},
                          {2, 20, -1, 5, 4, 0, 1},
                          {3, 40, 0, 5, 4, 0, 1}};
  const SchedulerView view = View({}, running, 0, 4);
  Planned out;
  StepPlanner planner(view, {512, 64}, &out.plan);
  planner.GrantDecodes();
  ASSERT_EQ(out.plan.preempted_count, 2u);
  EXPECT_EQ(out.preempted[0], 2u);
  EXPECT_EQ(out.preempted[1], 3u);  // for 1, since the block of 2 went to 0
  EXPECT_EQ(out.TokensOf(0), 1);
  EXPECT_EQ(out.TokensOf(1), 1);
  EXPECT_FALSE(planner.may_admit());
}

TEST(StepPlanner, LetsTheYoungestKeepItsBlocksAndWait) {
  const States running = {{0, 10, 0, 4, 3, 0, 1}, {1, 20, 0, 5, 4, 0, 1}};
  const SchedulerView view = View({}, running, 0, 4);
  Planned out;
  StepPlanner planner(view, {512, 64}, &out.plan);
  planner.GrantDecodes();
  EXPECT_EQ(out.TokensOf(0), 1);
  EXPECT_EQ(out.TokensOf(1), 0);
  EXPECT_EQ(out.plan.preempted_count, 0u);
}

TEST(StepPlanner, SendsBackWhoCanNeverRunAgain) {
  const States running = {{0, 10, 0, 9, 8, 0, 2}};
  const SchedulerView view = View({}, running, 0, 2);
  Planned out;
  StepPlanner planner(view, {512, 64}, &out.plan);
  planner.GrantDecodes();
  EXPECT_EQ(out.plan.preempted_count, 1u);
  EXPECT_EQ(out.plan.grant_count, 0u);
}

TEST(StepPlanner, GivesFewerDraftsWhenTokensOrBlocksEnd) {
  const States running = {{0, 10, 0, 5, 4, 6, 2}, {1, 20, 0, 4, 3, 6, 1}};
  const SchedulerView few_tokens = View({}, running, 10, 20);
  Planned tokens;
  StepPlanner by_tokens(few_tokens, {6, 64}, &tokens.plan);
  by_tokens.GrantDecodes();
  by_tokens.GrantDrafts();
  EXPECT_EQ(tokens.TokensOf(0), 5);
  EXPECT_EQ(tokens.TokensOf(1), 1);

  const SchedulerView few_blocks = View({}, running, 1, 20);
  Planned blocks;
  StepPlanner by_blocks(few_blocks, {512, 64}, &blocks.plan);
  by_blocks.GrantDecodes();
  by_blocks.GrantDrafts();
  EXPECT_EQ(blocks.TokensOf(0), 7);  // 4 + 7 = 11 of its 3 blocks' 12 slots: all that it asked for
  EXPECT_EQ(blocks.TokensOf(1), 1);
  EXPECT_EQ(blocks.plan.preempted_count, 0u);
}

TEST(StepPlanner, GivesNoDraftsBeforeTheKnownTokens) {
  const States running = {{0, 10, 0, 20, 0, 3, 0}};
  const SchedulerView view = View({}, running, 10, 10);
  Planned out;
  StepPlanner planner(view, {8, 64}, &out.plan);
  int32_t prefill = planner.tokens_left();
  planner.GrantPrefills(&prefill);
  planner.GrantDrafts();
  EXPECT_EQ(out.TokensOf(0), 8);
  EXPECT_EQ(prefill, 0);
}

TEST(StepPlanner, SetsBlocksAsideForThePromptsThatItAdmitted) {
  // 10 blocks: the first prompt needs 7 in the end, though only 1 now; the second needs 4.
  const States waiting = {{0, 0, 0, 28, 0, 0, 0}, {1, 1, 0, 16, 0, 0, 0}};
  const SchedulerView view = View(waiting, {}, 10, 10);
  Planned out;
  StepPlanner planner(view, {512, 64}, &out.plan);
  AdmitInOrder(view, planner, [](const SequenceState&) { return 4; });
  EXPECT_EQ(out.TokensOf(0), 4);
  EXPECT_EQ(out.TokensOf(1), 0);
}

TEST(StepPlanner, SkipsWhoCouldNeverBeAdmitted) {
  const States waiting = {{0, 0, 0, 100, 0, 0, 0}, {1, 1, 0, 4, 0, 0, 0}};
  const SchedulerView view = View(waiting, {}, 10, 10);
  Planned out;
  StepPlanner planner(view, {512, 64}, &out.plan);
  AdmitInOrder(view, planner, [](const SequenceState& s) { return KnownLeft(s); });
  EXPECT_EQ(out.TokensOf(0), 0);
  EXPECT_EQ(out.TokensOf(1), 4);
}

}  // namespace
}  // namespace tenon::scheduler
