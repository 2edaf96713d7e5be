// SPDX-License-Identifier: Apache-2.0
#include "plugins/scheduler/common/step_planner.h"

#include <gtest/gtest.h>

#include <vector>

#include "plugins/scheduler/common/admission.h"
#include "plugins/scheduler/common/priority_order.h"

namespace tenon::scheduler {
namespace {

// id, arrival, priority, known, computed, drafts, blocks, preemptions
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
