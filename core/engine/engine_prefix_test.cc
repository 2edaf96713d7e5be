// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <map>
#include <random>

#include "core/engine/fake_parts.h"

// Prefixes that were computed before: never another's, never more than asked, the same tokens.
namespace tenon::core {
namespace {

using testing::Expected;
using testing::FakeEngine;

constexpr int32_t kPage = 4;
constexpr ProgramLimits kLimits{.max_tokens = 64,
                                .max_logit_rows = 64,
                                .max_context = 128,
                                .kv_bytes = 0,
                                .kv_tokens = 4096,
                                .max_sequences = 8};

struct Heard {
  std::map<int32_t, std::vector<int32_t>> tokens;  // by choice
  FinishReason finish = FinishReason::kNone;
  int32_t cached = 0;
  int64_t queued_us = -1;
  int32_t events = 0;
};

Request Ask(std::vector<int32_t> prompt, int32_t max_tokens, Heard& heard) {
  Request request;
  request.prompt = std::move(prompt);
  request.max_tokens = max_tokens;
  request.on_event = [&heard](const TokenEvent& event) {
    if (event.token >= 0) heard.tokens[event.choice].push_back(event.token);
    heard.finish = event.finish;
    if (heard.events++ == 0) heard.queued_us = event.queued_us;
    heard.cached += event.cached_tokens;
  };
  return request;
}

std::vector<int32_t> Counting(int32_t tokens, int32_t from = 1) {
  std::vector<int32_t> out;
  for (int32_t i = 0; i < tokens; ++i) out.push_back((from + i * 3) % testing::kVocabulary);
  return out;
}

Heard Ask(FakeEngine& fake, Request request) {
  Heard heard;
  Heard* into = &heard;
  request.on_event = Ask({1}, 1, *into).on_event;
  EXPECT_TRUE(fake.engine->Submit(std::move(request)).ok());
  while (fake.engine->Step() >= 0) EXPECT_TRUE(fake.engine->Audit());
  return heard;
}

Request Of(std::vector<int32_t> prompt, int32_t max_tokens) {
  Request request;
  request.prompt = std::move(prompt);
  request.max_tokens = max_tokens;
  return request;
}

TEST(PrefixCaching, TakesFullBlocksButNeverTheWholePrompt) {
  FakeEngine fake(kLimits, kPage, false);
  EXPECT_EQ(Ask(fake, Of(Counting(16), 3)).cached, 0);
  // 16 tokens are 4 blocks; the last must be computed for its logits.
  const Heard same = Ask(fake, Of(Counting(16), 3));
  EXPECT_EQ(same.cached, 12);
  EXPECT_EQ(same.tokens.at(0), Expected(Counting(16), 3));
  EXPECT_GE(same.queued_us, 0);
  EXPECT_EQ(Ask(fake, Of(Counting(18), 3)).cached, 16);
  EXPECT_EQ(Ask(fake, Of(Counting(3), 3)).cached, 0);
  EXPECT_EQ(fake.engine->Stats().prefix_queries, 16 + 16 + 18 + 3);
  EXPECT_EQ(fake.engine->Stats().prefix_hits, 12 + 16);
  EXPECT_EQ(fake.engine->FreeBlocks(), fake.engine->TotalBlocks());
}

TEST(PrefixCaching, ComputesOnlyWhatIsNew) {
  FakeEngine fake(kLimits, kPage, false);
  Ask(fake, Of(Counting(40), 1));
  const int64_t before = fake.engine->Stats().prompt_tokens;
  Ask(fake, Of(Counting(40), 1));
  EXPECT_EQ(fake.engine->Stats().prompt_tokens - before, 4);
}

TEST(PrefixCaching, KeepsOutputsToo) {
  FakeEngine fake(kLimits, kPage, false);
  std::vector<int32_t> talk = Counting(10);
  const Heard first = Ask(fake, Of(talk, 20));
  talk.insert(talk.end(), first.tokens.at(0).begin(), first.tokens.at(0).end());
  talk.push_back(7);
  const Heard second = Ask(fake, Of(talk, 20));
  EXPECT_EQ(second.cached, 28);
  EXPECT_EQ(second.tokens.at(0), Expected(talk, 20));
}

TEST(PrefixCaching, IsIsolatedBySaltAndAdapter) {
  FakeEngine fake(kLimits, kPage, false);
  const auto ask = [&](uint64_t salt, int32_t adapter) {
    Request request = Of(Counting(33), 8);
    request.cache_salt = salt;
    request.adapter = adapter;
    const Heard heard = Ask(fake, std::move(request));
    EXPECT_EQ(heard.tokens.at(0), Expected(Counting(33), 8, 0, adapter)) << salt << " " << adapter;
    return heard.cached;
  };
  for (const int32_t cached : {0, 32}) {
    for (const uint64_t salt : {uint64_t{0}, uint64_t{1}, ~uint64_t{0}}) {
      for (const int32_t adapter : {-1, 0, 1}) EXPECT_EQ(ask(salt, adapter), cached);
    }
  }
}

TEST(PrefixCaching, IsOffWithoutTheSwitchOrWithoutSharedPages) {
  for (const bool shared : {true, false}) {
    FakeEngine fake(kLimits, kPage, false, shared, !shared);
    Ask(fake, Of(Counting(33), 3));
    EXPECT_EQ(Ask(fake, Of(Counting(33), 3)).cached, 0);
  }
  FakeEngine contiguous(kLimits, 128, false);
  Ask(contiguous, Of(Counting(33), 3));
  EXPECT_EQ(Ask(contiguous, Of(Counting(33), 3)).cached, 0);
}

TEST(PrefixCaching, ForgetsWhenAsked) {
  FakeEngine fake(kLimits, kPage, false);
  Ask(fake, Of(Counting(33), 3));
  fake.engine->ForgetPrefixes();
  EXPECT_TRUE(fake.engine->Audit());
  EXPECT_EQ(Ask(fake, Of(Counting(33), 3)).cached, 0);
  EXPECT_EQ(Ask(fake, Of(Counting(33), 3)).cached, 32);
}

TEST(PrefixCaching, ForgettingWhileOthersRunHarmsNobody) {
  FakeEngine fake(kLimits, kPage, false);
  Heard a;
  Heard b;
  ASSERT_TRUE(fake.engine->Submit(Ask(Counting(20), 40, a)).ok());
  for (int i = 0; i < 5; ++i) fake.engine->Step();
  fake.engine->ForgetPrefixes();
  ASSERT_TRUE(fake.engine->Submit(Ask(Counting(20), 40, b)).ok());
  while (fake.engine->Step() >= 0) ASSERT_TRUE(fake.engine->Audit());
  EXPECT_EQ(b.cached, 0);
  EXPECT_EQ(a.tokens[0], Expected(Counting(20), 40));
  EXPECT_EQ(b.tokens[0], Expected(Counting(20), 40));
}

TEST(PrefixCaching, ScoresEveryTokenOfAKnownPrompt) {
  FakeEngine fake(kLimits, kPage, false);
  Ask(fake, Of(Counting(33), 1));
  Request request = Of(Counting(33), 0);
  size_t scored = 0;
  request.on_prompt_logprobs = [&](Span<const float> values) { scored = values.size; };
  EXPECT_EQ(Ask(fake, std::move(request)).cached, 0);
  EXPECT_EQ(scored, 32U);
}

TEST(PrefixCaching, HoldsOnePageWhereTwoComputedTheSame) {
  FakeEngine fake(kLimits, kPage, false);
  Heard a;
  Heard b;
  ASSERT_TRUE(fake.engine->Submit(Ask(Counting(24), 30, a)).ok());
  ASSERT_TRUE(fake.engine->Submit(Ask(Counting(24), 30, b)).ok());
  EXPECT_EQ(fake.engine->Step(), 0);  // both prompts, side by side
  EXPECT_EQ(fake.engine->TotalBlocks() - fake.engine->FreeBlocks(), 6);
  while (fake.engine->Step() >= 0) ASSERT_TRUE(fake.engine->Audit());
  EXPECT_EQ(a.tokens[0], Expected(Counting(24), 30));
  EXPECT_EQ(b.tokens[0], Expected(Counting(24), 30));
}

TEST(PrefixCaching, ForksChoicesFromKeptBlocks) {
  for (const bool drafts : {false, true}) {
    FakeEngine fake(kLimits, kPage, drafts);
    Ask(fake, Of(Counting(22), 3));
    Request request = Of(Counting(22), 25);
    request.n = 4;
    const Heard heard = Ask(fake, std::move(request));
    EXPECT_EQ(heard.cached, 4 * 20);  // each choice's first event
    for (int32_t choice = 0; choice < 4; ++choice) {
      EXPECT_EQ(heard.tokens.at(choice), Expected(Counting(22), 25, static_cast<uint64_t>(choice)));
    }
  }
}

// A pool at a quarter of the demand, prompts that share some of their blocks, choices, salts,
// adapters, drafts and cancels: what is generated is what each would get alone.
TEST(PrefixCaching, ChangesNoTokenUnderPressure) {
  int64_t preemptions = 0;
  for (const int32_t page : {1, 4, 16}) {
    for (const bool drafts : {false, true}) {
      for (const int32_t budget : {9, 64}) {
        ProgramLimits limits = kLimits;
        limits.kv_tokens = 192;
        FakeEngine fake(limits, page, drafts);
        fake.scheduler.budget = budget;
        std::mt19937 random(5);
        std::vector<Heard> heard(120);
        std::vector<Request> asked;
        std::vector<uint64_t> ids;
        for (size_t i = 0; i < heard.size(); ++i) {
          std::vector<int32_t> prompt =
              Counting(1 + static_cast<int32_t>(random() % 60), static_cast<int32_t>(random() % 2));
          if (random() % 2 == 0) prompt.back() = static_cast<int32_t>(random() % 101);
          Request request =
              Ask(std::move(prompt), 1 + static_cast<int32_t>(random() % 30), heard[i]);
          request.cache_salt = random() % 2;
          request.adapter = static_cast<int32_t>(random() % 2) - 1;
          request.n = 1 + static_cast<int32_t>(random() % 2);
          asked.push_back(request);
          ids.push_back(*fake.engine->Submit(std::move(request)));
          for (size_t steps = random() % 4; steps > 0; --steps) {
            fake.engine->Step();
            ASSERT_TRUE(fake.engine->Audit());
          }
          if (i % 10 == 9) fake.engine->Cancel(ids[i - 1]);
        }
        while (fake.engine->Step() >= 0) ASSERT_TRUE(fake.engine->Audit());
        for (size_t i = 0; i < heard.size(); ++i) {
          if (heard[i].finish == FinishReason::kCancelled) continue;
          for (int32_t choice = 0; choice < asked[i].n; ++choice) {
            ASSERT_EQ(heard[i].tokens[choice],
                      Expected(asked[i].prompt, asked[i].max_tokens, static_cast<uint64_t>(choice),
                               asked[i].adapter))
                << page << " " << budget << " " << i << " " << choice;
          }
        }
        EXPECT_GT(fake.engine->Stats().prefix_hits, 0);
        EXPECT_EQ(fake.engine->FreeBlocks(), fake.engine->TotalBlocks());
        preemptions += fake.engine->Stats().preemptions;
      }
    }
  }
  EXPECT_GT(preemptions, 20);
}

// What comes back after preemption finds its own blocks, as far as they are still there.
TEST(PrefixCaching, ComputesLessAfterPreemption) {
  int64_t computed[2];
  for (const bool cache : {false, true}) {
    ProgramLimits limits = kLimits;
    limits.kv_tokens = 160;
    FakeEngine fake(limits, kPage, false, true, cache);
    std::vector<Heard> heard(6);
    for (int32_t i = 0; i < 6; ++i) {
      ASSERT_TRUE(
          fake.engine->Submit(Ask(Counting(20, i), 60, heard[static_cast<size_t>(i)])).ok());
    }
    while (fake.engine->Step() >= 0) ASSERT_TRUE(fake.engine->Audit());
    EXPECT_GT(fake.engine->Stats().preemptions, 0);
    computed[cache ? 1 : 0] = fake.engine->Stats().prompt_tokens;
    for (int32_t i = 0; i < 6; ++i) {
      EXPECT_EQ(heard[static_cast<size_t>(i)].tokens[0], Expected(Counting(20, i), 60));
    }
  }
  EXPECT_LE(computed[1], computed[0]);
}

}  // namespace
}  // namespace tenon::core
