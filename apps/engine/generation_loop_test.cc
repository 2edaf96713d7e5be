// SPDX-License-Identifier: Apache-2.0
#include "apps/engine/generation_loop.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>

#include "core/engine/fake_parts.h"

namespace tenon::apps {
namespace {

using core::FinishReason;
using core::testing::Expected;
using ::testing::HasSubstr;

constexpr core::ProgramLimits kLimits{.max_tokens = 32,
                                      .max_logit_rows = 8,
                                      .max_context = 128,
                                      .kv_bytes = 1 << 20,
                                      .max_sequences = 8};

// The events of one request, as they came.
class Listener {
 public:
  explicit Listener(int32_t choices = 1) : left_(choices) {}
  OnGenerateEvent OnEvent() {
    return [this](GenerateEvent event) {
      const bool last = event.finish != FinishReason::kNone;
      events.push_back(std::move(event));
      if (last && (events.back().finish == FinishReason::kError || --left_ == 0)) done_.set_value();
    };
  }
  bool Wait() {
    return done_.get_future().wait_for(std::chrono::seconds(60)) == std::future_status::ready;
  }
  std::vector<int32_t> Ids(int32_t choice = 0) const {
    std::vector<int32_t> ids;
    for (const GenerateEvent& event : events) {
      for (const GeneratedToken& token : event.tokens) {
        if (event.choice == choice) ids.push_back(token.id);
      }
    }
    return ids;
  }

  std::vector<GenerateEvent> events;

 private:
  int32_t left_;
  std::promise<void> done_;
};

GenerateRequest Asking(std::vector<int32_t> prompt, int32_t tokens) {
  GenerateRequest request;
  request.prompt = std::move(prompt);
  request.max_tokens = tokens;
  return request;
}

EngineFacts Facts() {
  EngineFacts facts;
  facts.model = "fake";
  facts.adapters = {"first", "second"};
  return facts;
}

// `fake` outlives it.
std::unique_ptr<EngineClient> Start(core::testing::FakeEngine& fake,
                                    std::function<void()> after_step) {
  return RunOnThread(std::make_shared<GenerationLoop>(
      std::shared_ptr<core::Engine>(std::shared_ptr<void>(), fake.engine.get()), Facts(),
      std::move(after_step)));
}

// Time for a cancel to come: a run to the limit takes some while.
constexpr int32_t kLong = 120;

TEST(GenerationLoop, GeneratesAsTheEngineDoes) {
  core::testing::FakeEngine fake(kLimits, 4, false);
  const auto client = Start(fake, {});
  Listener one, two;
  client->Generate(Asking({5, 6, 7}, 20), one.OnEvent());
  GenerateRequest other = Asking({9}, 20);
  other.adapter = "second";
  client->Generate(std::move(other), two.OnEvent());
  ASSERT_TRUE(one.Wait() && two.Wait());
  EXPECT_EQ(one.Ids(), Expected({5, 6, 7}, 20));
  EXPECT_EQ(two.Ids(), Expected({9}, 20, 0, 1));
  EXPECT_EQ(one.events.back().finish, FinishReason::kLength);
}

TEST(GenerationLoop, GroupsAStepsTokensByChoice) {
  core::testing::FakeEngine fake(kLimits, 4, true);
  const auto client = Start(fake, {});
  Listener listener(3);
  GenerateRequest request = Asking({1, 2, 3, 4, 5}, 30);
  request.n = 3;
  client->Generate(std::move(request), listener.OnEvent());
  ASSERT_TRUE(listener.Wait());
  for (int32_t choice = 0; choice < 3; ++choice) {
    EXPECT_EQ(listener.Ids(choice), Expected({1, 2, 3, 4, 5}, 30, static_cast<uint64_t>(choice)));
  }
  // Accepted drafts come with their step's token.
  EXPECT_LT(listener.events.size(), 90U);
}

TEST(GenerationLoop, RefusalsAreEvents) {
  core::testing::FakeEngine fake(kLimits, 4, false);
  const auto client = Start(fake, {});
  Listener empty, unknown, embeds;
  client->Generate(Asking({}, 4), empty.OnEvent());
  ASSERT_TRUE(empty.Wait());
  EXPECT_EQ(empty.events[0].status, Status::kInvalid);
  GenerateRequest request = Asking({1}, 4);
  request.adapter = "third";
  client->Generate(std::move(request), unknown.OnEvent());
  ASSERT_TRUE(unknown.Wait());
  EXPECT_THAT(unknown.events[0].error, HasSubstr("it has first, second"));
  Status status = Status::kOk;
  client->Embed({{1}}, [&](auto result) { status = result.error().status; });
  EXPECT_EQ(status, Status::kUnsupported);
}

TEST(GenerationLoop, CancelEndsARequestAndFreesItsBlocks) {
  core::testing::FakeEngine fake(kLimits, 4, false);
  const auto client = Start(fake, {});
  const int32_t free = client->State().free_blocks;
  Listener listener;
  std::atomic<uint64_t> id = 0;
  const OnGenerateEvent hear = listener.OnEvent();
  id = client->Generate(Asking({1}, kLong), [&](GenerateEvent event) {
    while (id == 0) std::this_thread::yield();
    client->Cancel(id, -1);
    hear(std::move(event));
  });
  ASSERT_TRUE(listener.Wait());
  EXPECT_EQ(listener.events.back().finish, FinishReason::kCancelled);
  EXPECT_LT(listener.Ids().size(), static_cast<size_t>(kLong));
  Listener next;
  client->Generate(Asking({1}, 1), next.OnEvent());
  ASSERT_TRUE(next.Wait());
  // The state is published behind the event.
  while (client->State().running + client->State().waiting > 0) std::this_thread::yield();
  EXPECT_EQ(client->State().free_blocks, free);
}

TEST(GenerationLoop, CancelOfOneChoiceLeavesTheOthers) {
  core::testing::FakeEngine fake(kLimits, 4, false);
  const auto client = Start(fake, {});
  Listener listener(2);
  GenerateRequest request = Asking({3, 4}, 50);
  request.n = 2;
  std::atomic<uint64_t> id = 0;
  const OnGenerateEvent hear = listener.OnEvent();
  id = client->Generate(std::move(request), [&](GenerateEvent event) {
    while (id == 0) std::this_thread::yield();
    client->Cancel(id, 1);
    hear(std::move(event));
  });
  ASSERT_TRUE(listener.Wait());
  EXPECT_EQ(listener.Ids(0), Expected({3, 4}, 50));
  EXPECT_LT(listener.Ids(1).size(), 50U);
}

TEST(GenerationLoop, EndingItCancelsWhatRuns) {
  core::testing::FakeEngine fake(kLimits, 4, false);
  Listener listener;
  {
    const auto client = Start(fake, {});
    std::promise<void> first;
    bool told = false;
    const OnGenerateEvent hear = listener.OnEvent();
    client->Generate(Asking({1}, kLong), [&](GenerateEvent event) {
      hear(std::move(event));
      if (!std::exchange(told, true)) first.set_value();
    });
    first.get_future().wait();
  }
  ASSERT_TRUE(listener.Wait());
  EXPECT_TRUE(fake.engine->Audit());
}

// As it may happen to a server that is cut off: an event's listener is the last to know the engine.
TEST(GenerationLoop, MayBeEndedByItsOwnEvents) {
  const auto fake = std::make_shared<core::testing::FakeEngine>(kLimits, 4, false);
  const std::weak_ptr<core::testing::FakeEngine> lives = fake;
  Listener listener;
  const OnGenerateEvent hear = listener.OnEvent();
  std::unique_ptr<EngineClient> client = RunOnThread(std::make_shared<GenerationLoop>(
      std::shared_ptr<core::Engine>(fake, fake->engine.get()), Facts(), [] {}));
  std::promise<void> go;
  client->Generate(Asking({1}, kLong), [&](GenerateEvent event) {
    if (client != nullptr) go.get_future().wait();
    client.reset();
    hear(std::move(event));
  });
  go.set_value();
  ASSERT_TRUE(listener.Wait());
  EXPECT_EQ(listener.events.back().finish, FinishReason::kCancelled);
  EXPECT_LT(listener.Ids().size(), static_cast<size_t>(kLong));
  // Behind the last event the thread gives back its engine.
  while (lives.use_count() > 1) std::this_thread::yield();
}

TEST(GenerationLoop, AStepThatHangsShows) {
  core::testing::FakeEngine fake(kLimits, 4, false);
  std::promise<void> go;
  std::shared_future<void> gone = go.get_future().share();
  const auto client = Start(fake, {});
  EXPECT_EQ(client->State().step_age_s, 0);
  Listener listener;
  const OnGenerateEvent hear = listener.OnEvent();
  client->Generate(Asking({1}, 2), [&](GenerateEvent event) {
    gone.wait();
    hear(std::move(event));
  });
  while (client->State().step_age_s < 0.2) std::this_thread::yield();
  go.set_value();
  ASSERT_TRUE(listener.Wait());
  while (client->State().step_age_s > 0) std::this_thread::yield();
  EXPECT_EQ(client->State().output_tokens, 2);
}

TEST(GenerationLoop, DoesNothingWhileNothingIsThere) {
  core::testing::FakeEngine fake(kLimits, 4, false);
  std::atomic<int> rounds = 0;
  const auto client = Start(fake, [&] { ++rounds; });
  Listener listener;
  client->Generate(Asking({1}, 5), listener.OnEvent());
  ASSERT_TRUE(listener.Wait());
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  EXPECT_LT(rounds, 20);
}

}  // namespace
}  // namespace tenon::apps
