// SPDX-License-Identifier: Apache-2.0
#include "plugins/scheduler/chunked/chunked.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "plugins/scheduler/common/made_component.h"
#include "plugins/scheduler/common/simulator.h"

extern "C" const tenon::PluginInfo* tenon_plugin_v1_scheduler_chunked();

namespace tenon::scheduler {
namespace {

using testing::MadeComponent;

TEST(ChunkedScheduler, KeepsItsPromisesOnEveryWorkload) {
  for (const char* chunk : {"0", "1", "30"}) {
    MadeComponent made(
        tenon_plugin_v1_scheduler_chunked(), "chunked",
        {{"max_batch_tokens", "128"}, {"max_sequences", "16"}, {"chunk_tokens", chunk}});
    ASSERT_NE(made.Get<Scheduler>(), nullptr) << made.failure();
    int32_t preemptions = 0;
    EXPECT_EQ(PlayMany(*made.Get<Scheduler>(), {128, 16}, &preemptions), "") << chunk;
    EXPECT_GT(preemptions, 0);
  }
}

TEST(ChunkedScheduler, KeepsDecodesRunningWhileALongPromptComesIn) {
  MadeComponent made(tenon_plugin_v1_scheduler_chunked(), "chunked", {{"max_batch_tokens", "64"}});
  std::vector<Request> requests;
  for (int32_t i = 0; i < 4; ++i) requests.push_back({0, 8, 80});
  requests.push_back({20000, 3000, 5});
  const Play play = PlayAll(*made.Get<Scheduler>(), {400, 16, 512, 64}, {64, 64}, requests, 1);
  ASSERT_EQ(play.violation, "");
  int32_t mixed = 0;
  for (const PlayedStep& step : play.steps) {
    for (const SequenceState& s : step.running) {
      if (s.known_tokens - s.computed_tokens != 1) continue;
      EXPECT_TRUE(std::any_of(step.grants.begin(), step.grants.end(),
                              [&](const Grant& grant) { return grant.id == s.id; }));
    }
    mixed += step.grants.size() == 5 && step.grants[4].tokens == 60;
  }
  EXPECT_GE(mixed, 45);
}

TEST(ChunkedScheduler, FillsTheStepWithPiecesOfPrompts) {
  MadeComponent made(tenon_plugin_v1_scheduler_chunked(), "chunked", {{"max_batch_tokens", "64"}});
  const std::vector<SequenceState> waiting = {{1, 0, 0, 50, 0, 0, 0}, {2, 1, 0, 50, 0, 0, 0}};
  const std::vector<SequenceState> running = {{3, 0, 0, 30, 29, 4, 2}};
  const SchedulerView view = {0, {waiting.data(), 2}, {running.data(), 1}, 50, 100, 16, 512, 64};
  PlayedStep step;
  ASSERT_EQ(CallOnce(*made.Get<Scheduler>(), view, {64, 64}, &step), "");
  ASSERT_EQ(step.grants.size(), 3u);
  EXPECT_EQ(step.grants[0].tokens, 1);
  EXPECT_EQ(step.grants[1].tokens, 50);
  EXPECT_EQ(step.grants[2].tokens, 13);
}

TEST(ChunkedScheduler, KeepsPromptsWithinChunkTokens) {
  MadeComponent made(tenon_plugin_v1_scheduler_chunked(), "chunked", {{"chunk_tokens", "20"}});
  const std::vector<SequenceState> waiting = {
      {1, 0, 0, 15, 0, 0, 0}, {2, 1, 0, 50, 0, 0, 0}, {3, 1, 0, 50, 0, 0, 0}};
  const SchedulerView view = {0, {waiting.data(), 3}, {}, 50, 100, 16, 512, 64};
  PlayedStep step;
  ASSERT_EQ(CallOnce(*made.Get<Scheduler>(), view, {512, 64}, &step), "");
  ASSERT_EQ(step.grants.size(), 2u);
  EXPECT_EQ(step.grants[0].tokens, 15);
  EXPECT_EQ(step.grants[1].tokens, 5);
}

TEST(ChunkedScheduler, BoundsPromptsOnlyWhereOthersDecode) {
  MadeComponent made(tenon_plugin_v1_scheduler_chunked(), "chunked",
                     {{"max_batch_tokens", "256"}, {"mixed_chunk_tokens", "32"}});
  std::vector<Request> requests = {{0, 8, 40}, {5000, 3000, 5}};
  const Play play = PlayAll(*made.Get<Scheduler>(), {400, 16, 512, 64}, {256, 64}, requests, 1);
  ASSERT_EQ(play.violation, "");
  int32_t mixed = 0;
  int32_t alone = 0;
  for (const PlayedStep& step : play.steps) {
    int32_t tokens = 0;
    for (const Grant& grant : step.grants) tokens += grant.tokens;
    if (step.grants.size() == 2) {
      EXPECT_LE(tokens, 33);
      ++mixed;
    }
    alone += step.grants.size() == 1 && tokens == 256;
  }
  EXPECT_GT(mixed, 30);
  EXPECT_GT(alone, 5);
}

TEST(ChunkedScheduler, LetsNobodyWaitHalfAMinuteWhileOthersRun) {
  MadeComponent made(tenon_plugin_v1_scheduler_chunked(), "chunked",
                     {{"max_batch_tokens", "64"}, {"max_sequences", "4"}});
  std::string violation;
  EXPECT_LT(LongestWaitUnderPressure(*made.Get<Scheduler>(), &violation), 30'000'000);
  EXPECT_EQ(violation, "");
}

TEST(ChunkedScheduler, ServesOneBlockASequence) {
  MadeComponent made(tenon_plugin_v1_scheduler_chunked(), "chunked");
  const Pool pool = {3, 4096, 512, 64};
  const Play play =
      PlayAll(*made.Get<Scheduler>(), pool, {512, 64}, RandomRequests(pool, 30, 5), 5);
  EXPECT_EQ(play.violation, "");
  EXPECT_EQ(play.preemptions(), 0);
}

TEST(ChunkedScheduler, IsTheDefaultOfItsFamily) {
  const ComponentInfo& info = *tenon_plugin_v1_scheduler_chunked()->components[0];
  EXPECT_EQ(info.family, Family::kScheduler);
  EXPECT_GE(info.rank, 100);
}

}  // namespace
}  // namespace tenon::scheduler
