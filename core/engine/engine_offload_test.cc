// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <future>
#include <map>
#include <random>

#include "core/engine/fake_parts.h"
#include "core/engine/scratch_folder_test.h"

// Blocks that the pool has no room for, kept elsewhere: fewer tokens computed, the same tokens.
namespace tenon::core {
namespace {

using testing::Expected;
using testing::FakeEngine;
using testing::ScratchFolder;

constexpr int32_t kPage = 4;
constexpr ProgramLimits kLimits{.max_tokens = 64,
                                .max_logit_rows = 64,
                                .max_context = 128,
                                .kv_bytes = 0,
                                .kv_tokens = 160,
                                .max_sequences = 8};
const OffloadLayout kLayout = {.block_tokens = kPage,
                               .block_bytes = kPage * sizeof(float),
                               .max_tokens = 128,
                               .slots = 500,
                               .fingerprint = "fake"};

std::unique_ptr<OffloadStore> Open(const ScratchFolder& folder, int32_t slots = 500) {
  OffloadLayout layout = kLayout;
  layout.slots = slots;
  auto store = OffloadStore::Open(folder.path(), layout);
  TENON_CHECK(store.ok());
  return std::move(*store);
}

std::vector<int32_t> Counting(int32_t tokens, int32_t from) {
  std::vector<int32_t> out;
  for (int32_t i = 0; i < tokens; ++i) out.push_back((from * 7 + i * 3) % testing::kVocabulary);
  return out;
}

struct Answer {
  std::vector<int32_t> tokens;
  int32_t cached = 0;
};

Answer Ask(FakeEngine& fake, const std::vector<int32_t>& prompt, int32_t max_tokens,
           uint64_t salt = 0, int32_t adapter = -1) {
  Answer answer;
  Request request;
  request.prompt = prompt;
  request.max_tokens = max_tokens;
  request.cache_salt = salt;
  request.adapter = adapter;
  request.on_event = [&](const TokenEvent& event) {
    answer.tokens.push_back(event.token);
    answer.cached += event.cached_tokens;
  };
  EXPECT_TRUE(fake.engine->Submit(std::move(request)).ok());
  while (fake.engine->Step() >= 0) EXPECT_TRUE(fake.engine->Audit());
  return answer;
}

TEST(Offload, BringsBackWhatThePoolHadNoRoomFor) {
  const ScratchFolder folder;
  const auto store = Open(folder);
  FakeEngine fake(kLimits, kPage, false, true, true, store.get());
  for (int32_t i = 0; i < 6; ++i) Ask(fake, Counting(60, i), 10);
  EXPECT_GT(fake.engine->OffloadedBlocks(), 0);
  const Answer again = Ask(fake, Counting(60, 0), 10);
  EXPECT_EQ(again.cached, 56);
  EXPECT_EQ(again.tokens, Expected(Counting(60, 0), 10));
  EXPECT_GE(fake.engine->RestoredBlocks(), 10);
}

// A disk that takes nothing while they run: nobody waits for it.
TEST(Offload, ASlowDiskHoldsUpNobody) {
  const ScratchFolder folder;
  std::promise<void> go;
  auto store =
      OffloadStore::Open(folder.path(), kLayout, [gone = go.get_future().share()] { gone.wait(); });
  ASSERT_TRUE(store.ok());
  FakeEngine fake(kLimits, kPage, false, true, true, store->get());
  for (int32_t i = 0; i < 6; ++i) {
    EXPECT_EQ(Ask(fake, Counting(60, i), 10).tokens, Expected(Counting(60, i), 10));
  }
  EXPECT_GT(fake.engine->OffloadedBlocks(), 0);
  const Answer again = Ask(fake, Counting(60, 0), 10);
  EXPECT_EQ(again.cached, 56);
  EXPECT_EQ(again.tokens, Expected(Counting(60, 0), 10));
  go.set_value();
}

TEST(Offload, IsReusedAfterARestart) {
  const ScratchFolder folder;
  for (const bool restarted : {false, true}) {
    const auto store = Open(folder);
    FakeEngine fake(kLimits, kPage, false, true, true, store.get());
    if (!restarted) {
      for (int32_t i = 0; i < 6; ++i) Ask(fake, Counting(60, i), 10);
      continue;
    }
    EXPECT_EQ(Ask(fake, Counting(60, 0), 10).cached, 56);
    EXPECT_EQ(Ask(fake, Counting(60, 0), 10, 1).cached, 0);
    EXPECT_EQ(Ask(fake, Counting(60, 0), 10, 0, 1).cached, 0);
    EXPECT_EQ(Ask(fake, Counting(60, 1), 10).tokens, Expected(Counting(60, 1), 10));
  }
}

TEST(Offload, BrokenEntriesCostTimeAndNothingElse) {
  const ScratchFolder folder;
  std::string path;
  {
    const auto store = Open(folder);
    FakeEngine fake(kLimits, kPage, false, true, true, store.get());
    for (int32_t i = 0; i < 6; ++i) Ask(fake, Counting(60, i), 10);
    path = store->Path();
  }
  // One byte of the K and V of most slots.
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  for (int64_t slot = 0; slot < 500; ++slot) {
    if (slot % 5 == 0) continue;
    file.seekp(4096 + slot * 8192 + 4096 + slot % 16);
    file.put('\x55');
  }
  file.close();
  const auto store = Open(folder);
  FakeEngine fake(kLimits, kPage, false, true, true, store.get());
  for (int32_t i = 0; i < 6; ++i) {
    const Answer answer = Ask(fake, Counting(60, i), 10);
    EXPECT_EQ(answer.tokens, Expected(Counting(60, i), 10));
    EXPECT_LT(answer.cached, 56);
  }
}

TEST(Offload, ForgetsWhenAsked) {
  const ScratchFolder folder;
  const auto store = Open(folder);
  FakeEngine fake(kLimits, kPage, false, true, true, store.get());
  for (int32_t i = 0; i < 6; ++i) Ask(fake, Counting(60, i), 10);
  fake.engine->ForgetPrefixes();
  EXPECT_EQ(Ask(fake, Counting(60, 0), 10).cached, 0);
}

// Preemption, choices, salts and adapters on a pool at a quarter of the demand and a store that is
// too small as well.
TEST(Offload, ChangesNoTokenUnderPressure) {
  for (const int32_t slots : {3, 40, 500}) {
    const ScratchFolder folder;
    const auto store = Open(folder, slots);
    FakeEngine fake(kLimits, kPage, slots == 40, true, true, store.get());
    std::mt19937 random(5);
    std::vector<Request> asked(100);
    std::vector<std::map<int32_t, std::vector<int32_t>>> heard(asked.size());
    for (size_t i = 0; i < asked.size(); ++i) {
      Request& request = asked[i];
      request.prompt =
          Counting(1 + static_cast<int32_t>(random() % 70), static_cast<int32_t>(random() % 3));
      request.max_tokens = 1 + static_cast<int32_t>(random() % 40);
      request.cache_salt = random() % 2;
      request.adapter = static_cast<int32_t>(random() % 2) - 1;
      request.n = 1 + static_cast<int32_t>(random() % 2);
      request.on_event = [&heard, i](const TokenEvent& event) {
        heard[i][event.choice].push_back(event.token);
      };
      ASSERT_TRUE(fake.engine->Submit(request).ok());
      for (size_t steps = random() % 8; steps > 0; --steps) {
        fake.engine->Step();
        ASSERT_TRUE(fake.engine->Audit());
      }
    }
    while (fake.engine->Step() >= 0) ASSERT_TRUE(fake.engine->Audit());
    for (size_t i = 0; i < asked.size(); ++i) {
      for (int32_t choice = 0; choice < asked[i].n; ++choice) {
        ASSERT_EQ(heard[i][choice], Expected(asked[i].prompt, asked[i].max_tokens,
                                             static_cast<uint64_t>(choice), asked[i].adapter))
            << slots << " " << i << " " << choice;
      }
    }
    EXPECT_GT(fake.engine->OffloadedBlocks(), 0);
    EXPECT_LE(store->Size(), slots);
    if (slots == 500) {
      EXPECT_GT(fake.engine->RestoredBlocks(), 0);
    }
  }
}

// Sequences that make each other wait come back without computing their blocks anew.
TEST(Offload, SparesThePreemptedTheirRecomputation) {
  int64_t computed[2];
  for (const bool offload : {false, true}) {
    const ScratchFolder folder;
    const auto store = Open(folder);
    FakeEngine fake(kLimits, kPage, false, true, true, offload ? store.get() : nullptr);
    std::vector<std::vector<int32_t>> heard(6);
    for (int32_t i = 0; i < 6; ++i) {
      Request request;
      request.prompt = Counting(30, i);
      request.max_tokens = 60;
      request.on_event = [&heard, i](const TokenEvent& event) {
        heard[static_cast<size_t>(i)].push_back(event.token);
      };
      ASSERT_TRUE(fake.engine->Submit(std::move(request)).ok());
    }
    while (fake.engine->Step() >= 0) ASSERT_TRUE(fake.engine->Audit());
    EXPECT_GT(fake.engine->Stats().preemptions, 0);
    computed[offload ? 1 : 0] = fake.device.all_tokens;
    for (int32_t i = 0; i < 6; ++i) {
      EXPECT_EQ(heard[static_cast<size_t>(i)], Expected(Counting(30, i), 60));
    }
  }
  EXPECT_LT(computed[1], computed[0]);
}

}  // namespace
}  // namespace tenon::core
