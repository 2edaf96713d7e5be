// SPDX-License-Identifier: Apache-2.0
#include "core/engine/engine.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <random>

#include "core/engine/fake_parts.h"
#include "sdk/testing/allocation_count.h"

namespace tenon::core {
namespace {

using testing::Expected;
using testing::FakeEngine;

constexpr ProgramLimits kLimits{.max_tokens = 64,
                                .max_logit_rows = 64,
                                .max_context = 128,
                                .kv_bytes = 0,
                                .kv_tokens = 4096,
                                .max_sequences = 8};

struct Heard {
  std::map<int32_t, std::vector<int32_t>> tokens;  // by choice
  std::map<int32_t, FinishReason> finish;
  std::string error;
};

Request Ask(std::vector<int32_t> prompt, int32_t max_tokens, Heard& heard) {
  Request request;
  request.prompt = std::move(prompt);
  request.max_tokens = max_tokens;
  request.on_event = [&heard](const TokenEvent& event) {
    if (event.token >= 0) heard.tokens[event.choice].push_back(event.token);
    if (event.finish != FinishReason::kNone) heard.finish[event.choice] = event.finish;
    heard.error = event.error;
  };
  return request;
}

std::vector<int32_t> RandomPrompt(std::mt19937& random, size_t tokens) {
  std::vector<int32_t> prompt(tokens);
  for (int32_t& token : prompt) token = static_cast<int32_t>(random() % testing::kVocabulary);
  return prompt;
}

TEST(Engine, GeneratesWhatTheModelSays) {
  FakeEngine fake(kLimits, 4, false);
  Heard heard;
  ASSERT_TRUE(fake.engine->Submit(Ask({5, 6, 7}, 20, heard)).ok());
  fake.engine->RunUntilIdle();
  EXPECT_EQ(heard.tokens[0], Expected({5, 6, 7}, 20));
  EXPECT_EQ(heard.finish[0], FinishReason::kLength);
  EXPECT_EQ(fake.engine->FreeBlocks(), fake.engine->TotalBlocks());
}

// Whatever runs beside a request, however small the pool, the step and the chunks, with and without
// drafts: the same tokens.
TEST(Engine, GeneratesTheSameInAnyCompany) {
  for (const int32_t page : {1, 4, 128}) {
    for (const int32_t budget : {1, 7, 64}) {
      for (const bool drafts : {false, true}) {
        ProgramLimits limits = kLimits;
        limits.kv_tokens = page == 128 ? 512 : 200;
        FakeEngine fake(limits, page, drafts);
        fake.scheduler.budget = budget;
        std::mt19937 random(11);
        std::vector<Heard> heard(12);
        std::vector<std::vector<int32_t>> prompts;
        for (Heard& one : heard) {
          prompts.push_back(RandomPrompt(random, 1 + random() % 60));
          ASSERT_TRUE(fake.engine->Submit(Ask(prompts.back(), 30, one)).ok());
        }
        while (fake.engine->Step() >= 0) ASSERT_TRUE(fake.engine->Audit());
        for (size_t i = 0; i < heard.size(); ++i) {
          EXPECT_EQ(heard[i].tokens[0], Expected(prompts[i], 30))
              << page << " " << budget << " " << i;
        }
        EXPECT_LE(fake.device.most_tokens, budget);
        if (drafts && budget == 64) {
          EXPECT_GT(fake.engine->Stats().accepted_tokens, 0);
        }
        if (page != 128 && budget == 64) {
          EXPECT_GT(fake.engine->Stats().preemptions, 0);
        }
      }
    }
  }
}

TEST(Engine, ForksChoicesThatShareThePrompt) {
  for (const bool shared : {true, false}) {
    for (const bool drafts : {false, true}) {
      FakeEngine fake(kLimits, 4, drafts, shared);
      Heard heard;
      Request request = Ask({1, 2, 3, 4, 5, 6}, 25, heard);
      request.n = 3;
      request.sampling.seed = 10;
      ASSERT_TRUE(fake.engine->Submit(std::move(request)).ok());
      while (fake.engine->Step() >= 0) ASSERT_TRUE(fake.engine->Audit());
      for (int32_t choice = 0; choice < 3; ++choice) {
        EXPECT_EQ(heard.tokens[choice],
                  Expected({1, 2, 3, 4, 5, 6}, 25, 10 + static_cast<uint64_t>(choice)));
        EXPECT_EQ(heard.finish[choice], FinishReason::kLength);
      }
      EXPECT_EQ(fake.engine->FreeBlocks(), fake.engine->TotalBlocks());
    }
  }
}

// All of a request's choices, in every step, also where they start anew after preemption.
TEST(Engine, KeepsEachRequestsAdapter) {
  for (const bool shared : {true, false}) {
    ProgramLimits limits = kLimits;
    limits.kv_tokens = 200;
    FakeEngine fake(limits, 4, false, shared);
    std::vector<Heard> heard(8);
    for (int32_t i = 0; i < 8; ++i) {
      Request request = Ask({7, i, 8, 9, 10}, 40, heard[static_cast<size_t>(i)]);
      request.adapter = i % 4 - 1;
      request.n = 1 + i % 2;
      ASSERT_TRUE(fake.engine->Submit(std::move(request)).ok());
    }
    while (fake.engine->Step() >= 0) ASSERT_TRUE(fake.engine->Audit());
    for (int32_t i = 0; i < 8; ++i) {
      for (int32_t choice = 0; choice <= i % 2; ++choice) {
        EXPECT_EQ(heard[static_cast<size_t>(i)].tokens[choice],
                  Expected({7, i, 8, 9, 10}, 40, static_cast<uint64_t>(choice), i % 4 - 1))
            << i << " " << choice;
      }
    }
    EXPECT_GT(fake.engine->Stats().preemptions, 0);
  }
}

TEST(Engine, CopiesSharedPagesInATightPool) {
  ProgramLimits limits = kLimits;
  limits.kv_tokens = 128;
  FakeEngine fake(limits, 16, false);
  Heard heard;
  Request request = Ask({1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17}, 80, heard);
  request.n = 6;
  ASSERT_TRUE(fake.engine->Submit(std::move(request)).ok());
  while (fake.engine->Step() >= 0) ASSERT_TRUE(fake.engine->Audit());
  for (uint64_t choice = 0; choice < 6; ++choice) {
    EXPECT_EQ(heard.tokens[static_cast<int32_t>(choice)],
              Expected({1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17}, 80, choice));
  }
  EXPECT_GT(fake.engine->Stats().preemptions, 0);
}

TEST(Engine, CancelFreesBlocksBeforeTheNextStep) {
  FakeEngine fake(kLimits, 4, false);
  Heard heard;
  const auto id = fake.engine->Submit(Ask({5, 6, 7}, 100, heard));
  ASSERT_TRUE(id.ok());
  for (int i = 0; i < 5; ++i) EXPECT_EQ(fake.engine->Step(), 0);
  EXPECT_LT(fake.engine->FreeBlocks(), fake.engine->TotalBlocks());
  fake.engine->Cancel(*id);
  EXPECT_EQ(fake.engine->Step(), -1);
  EXPECT_EQ(fake.engine->FreeBlocks(), fake.engine->TotalBlocks());
  EXPECT_EQ(heard.finish[0], FinishReason::kCancelled);
  EXPECT_EQ(heard.tokens[0].size(), 5U);
}

// Before and after the prompt is through, one choice or all but one: the others go on.
TEST(Engine, CancelsOneChoiceOfSeveral) {
  for (const int steps : {0, 1, 5}) {
    for (const std::vector<int32_t>& cancelled :
         {std::vector<int32_t>{0}, {2}, {0, 1, 3}, {1, 7}}) {
      FakeEngine fake(kLimits, 4, false);
      fake.scheduler.budget = 8;
      Heard heard;
      Request request = Ask({1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, 25, heard);
      request.n = 4;
      const auto id = fake.engine->Submit(std::move(request));
      ASSERT_TRUE(id.ok());
      for (int i = 0; i < steps; ++i) EXPECT_EQ(fake.engine->Step(), 0);
      for (const int32_t choice : cancelled) fake.engine->Cancel(*id, choice);
      while (fake.engine->Step() >= 0) ASSERT_TRUE(fake.engine->Audit());
      for (int32_t choice = 0; choice < 4; ++choice) {
        const bool ended = std::count(cancelled.begin(), cancelled.end(), choice) > 0;
        EXPECT_EQ(heard.finish[choice], ended ? FinishReason::kCancelled : FinishReason::kLength);
        if (!ended) {
          EXPECT_EQ(heard.tokens[choice],
                    Expected({1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, 25, static_cast<uint64_t>(choice)));
        } else if (steps < 2) {
          EXPECT_TRUE(heard.tokens[choice].empty());
        }
      }
      EXPECT_EQ(fake.engine->FreeBlocks(), fake.engine->TotalBlocks());
    }
  }
}

TEST(Engine, CancellingEveryChoiceEndsTheRequest) {
  FakeEngine fake(kLimits, 4, false);
  Heard heard;
  Request request = Ask({1, 2, 3}, 25, heard);
  request.n = 3;
  const auto id = fake.engine->Submit(std::move(request));
  ASSERT_TRUE(id.ok());
  for (const int32_t choice : {1, 0, 2}) fake.engine->Cancel(*id, choice);
  EXPECT_EQ(fake.engine->Step(), -1);
  EXPECT_EQ(heard.finish.size(), 3U);
  for (const auto& [choice, finish] : heard.finish) EXPECT_EQ(finish, FinishReason::kCancelled);
}

TEST(Engine, CountsWhoRunsAndWhoWaits) {
  ProgramLimits limits = kLimits;
  limits.max_sequences = 2;
  FakeEngine fake(limits, 128, false);
  Heard heard;
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(fake.engine->Submit(Ask({1, i}, 10, heard)).ok());
  EXPECT_EQ(fake.engine->Step(), 0);
  EXPECT_EQ(fake.engine->Running(), 2);
  EXPECT_EQ(fake.engine->Waiting(), 3);
  fake.engine->RunUntilIdle();
  EXPECT_EQ(fake.engine->Running() + fake.engine->Waiting(), 0);
}

TEST(Engine, TellsTheTimeOfComponentsFromASampleOfSteps) {
  FakeEngine fake(kLimits, 4, false);
  fake.program->SampleTiming(4);
  Heard heard;
  ASSERT_TRUE(fake.engine->Submit(Ask({5, 6, 7}, 9, heard)).ok());
  fake.engine->RunUntilIdle();
  EXPECT_EQ(fake.program->Nanoseconds()[0], 3000U);  // steps 0, 4 and 8 of 9
  double seconds = 0;
  for (const ComponentTime& time : fake.program->TimeByComponent()) seconds += time.seconds;
  EXPECT_NEAR(seconds, 4 * 3 * 4 * 1e-6, 1e-12);  // 4 ops
  fake.program->ResetTiming();
  for (const ComponentTime& time : fake.program->TimeByComponent()) EXPECT_EQ(time.seconds, 0);
}

TEST(Engine, CancelFromWithinAnEventIsHeeded) {
  FakeEngine fake(kLimits, 4, false);
  Heard heard;
  Request request = Ask({5, 6, 7}, 100, heard);
  auto inner = request.on_event;
  request.on_event = [&](const TokenEvent& event) {
    inner(event);
    if (heard.tokens[0].size() == 3) fake.engine->Cancel(event.request);
  };
  ASSERT_TRUE(fake.engine->Submit(std::move(request)).ok());
  fake.engine->RunUntilIdle();
  EXPECT_EQ(heard.tokens[0].size(), 3U);
  EXPECT_EQ(heard.finish[0], FinishReason::kCancelled);
}

TEST(Engine, StopsAtAStopTokenAlsoInsideDrafts) {
  const std::vector<int32_t> truth = Expected({9, 9}, 40);
  for (const bool drafts : {false, true}) {
    FakeEngine fake(kLimits, 4, drafts);
    Heard heard;
    Request request = Ask({9, 9}, 40, heard);
    request.stop_tokens = {truth[17]};
    ASSERT_TRUE(fake.engine->Submit(std::move(request)).ok());
    fake.engine->RunUntilIdle();
    const auto first = std::find(truth.begin(), truth.end(), truth[17]) - truth.begin();
    EXPECT_EQ(heard.tokens[0], std::vector<int32_t>(truth.begin(), truth.begin() + first + 1));
    EXPECT_EQ(heard.finish[0], FinishReason::kStop);
  }
}

TEST(Engine, ForbidsStopTokensBeforeMinTokens) {
  const std::vector<int32_t> truth = Expected({9, 9}, 40);
  FakeEngine fake(kLimits, 4, false);
  Heard heard;
  Request request = Ask({9, 9}, 40, heard);
  request.stop_tokens = {truth[0]};
  request.min_tokens = 5;
  ASSERT_TRUE(fake.engine->Submit(std::move(request)).ok());
  fake.engine->RunUntilIdle();
  EXPECT_GE(heard.tokens[0].size(), 5U);
  EXPECT_NE(heard.tokens[0][0], truth[0]);
}

TEST(Engine, ScoresEveryPromptTokenOnceInAnyChunks) {
  std::mt19937 random(3);
  const std::vector<int32_t> prompt = RandomPrompt(random, 50);
  // One logit is 1, the others 0.
  const double log_sum = std::log(std::exp(1.0) + testing::kVocabulary - 1);
  for (const int32_t budget : {1, 9, 64}) {
    FakeEngine fake(kLimits, 4, false);
    fake.scheduler.budget = budget;
    std::vector<float> scores;
    int calls = 0;
    Request request;
    request.prompt = prompt;
    request.max_tokens = 0;
    request.on_prompt_logprobs = [&](Span<const float> values) {
      scores.assign(values.begin(), values.end());
      ++calls;
    };
    ASSERT_TRUE(fake.engine->Submit(std::move(request)).ok());
    fake.engine->RunUntilIdle();
    EXPECT_EQ(calls, 1);
    ASSERT_EQ(scores.size(), prompt.size() - 1);
    for (size_t i = 0; i < scores.size(); ++i) {
      const std::vector<int32_t> before(prompt.begin(), prompt.begin() + static_cast<long>(i) + 1);
      const double logit = testing::Next(before) == prompt[i + 1] ? 1 : 0;
      EXPECT_NEAR(scores[i], logit - log_sum, 1e-6) << i;
    }
  }
}

TEST(Engine, ReportsTopLogprobsInOrder) {
  FakeEngine fake(kLimits, 4, false);
  std::vector<TokenLogprob> top;
  float logprob = 0;
  Request request;
  request.prompt = {3};
  request.max_tokens = 1;
  request.logprobs = 3;
  request.on_event = [&](const TokenEvent& event) {
    top.assign(event.top.begin(), event.top.end());
    logprob = event.logprob;
  };
  ASSERT_TRUE(fake.engine->Submit(std::move(request)).ok());
  fake.engine->RunUntilIdle();
  ASSERT_EQ(top.size(), 3U);
  const double log_sum = std::log(std::exp(1.0) + testing::kVocabulary - 1);
  EXPECT_EQ(top[0].id, testing::Next({3}));
  EXPECT_NEAR(top[0].logprob, 1 - log_sum, 1e-6);
  EXPECT_NEAR(logprob, 1 - log_sum, 1e-6);
  EXPECT_NEAR(top[2].logprob, -log_sum, 1e-6);
}

TEST(Engine, RefusesWhatCanNeverRun) {
  FakeEngine fake(kLimits, 4, false);
  Heard heard;
  EXPECT_FALSE(fake.engine->Submit(Ask({}, 1, heard)).ok());
  EXPECT_FALSE(fake.engine->Submit(Ask({-1}, 1, heard)).ok());
  EXPECT_FALSE(fake.engine->Submit(Ask({testing::kVocabulary}, 1, heard)).ok());
  EXPECT_FALSE(fake.engine->Submit(Ask({1}, -1, heard)).ok());
  const auto long_one = fake.engine->Submit(Ask({1}, 128, heard));
  ASSERT_FALSE(long_one.ok());
  EXPECT_NE(long_one.error().message.find("the context holds 128"), std::string::npos);
  Request biased = Ask({1}, 1, heard);
  biased.bias = {{testing::kVocabulary, 1.0F}};
  EXPECT_FALSE(fake.engine->Submit(std::move(biased)).ok());
  for (const int32_t adapter : {-2, testing::kAdapters}) {
    Request adapted = Ask({1}, 1, heard);
    adapted.adapter = adapter;
    const auto refused = fake.engine->Submit(std::move(adapted));
    ASSERT_FALSE(refused.ok());
    EXPECT_NE(refused.error().message.find("0 to 2 allowed"), std::string::npos);
  }
  EXPECT_EQ(fake.engine->Step(), -1);
}

TEST(Engine, TellsEveryRequestWhenTheDeviceFails) {
  FakeEngine fake(kLimits, 4, false);
  Heard a;
  Heard b;
  ASSERT_TRUE(fake.engine->Submit(Ask({1}, 10, a)).ok());
  ASSERT_TRUE(fake.engine->Submit(Ask({2}, 10, b)).ok());
  EXPECT_EQ(fake.engine->Step(), 0);
  fake.device.fail = true;
  EXPECT_EQ(fake.engine->Step(), 0);
  EXPECT_EQ(a.finish[0], FinishReason::kError);
  EXPECT_EQ(b.finish[0], FinishReason::kError);
  EXPECT_NE(a.error.find("device failed"), std::string::npos);
  EXPECT_EQ(fake.engine->FreeBlocks(), fake.engine->TotalBlocks());
}

TEST(Engine, AllocatesNothingInAStep) {
  FakeEngine fake(kLimits, 4, false);
  Heard heard;
  for (int i = 0; i < 6; ++i) {
    Request request = Ask({1, 2, 3, 4, 5, 6, 7}, 100, heard);
    request.on_event = nullptr;
    request.logprobs = i % 2 == 0 ? 5 : -1;
    ASSERT_TRUE(fake.engine->Submit(std::move(request)).ok());
  }
  for (int i = 0; i < 3; ++i) EXPECT_EQ(fake.engine->Step(), 0);
  const int64_t before = tenon::testing::AllocationCount();
  for (int i = 0; i < 90; ++i) EXPECT_EQ(fake.engine->Step(), 0);
  EXPECT_EQ(tenon::testing::AllocationCount() - before, 0);
}

}  // namespace
}  // namespace tenon::core
