// SPDX-License-Identifier: Apache-2.0
#include "apps/trial/trial_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "apps/trial/outputs.h"

namespace tenon::apps::trial {
namespace {

using core::FinishReason;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Says what a test tells it.
class FakeEngine : public EngineClient {
 public:
  explicit FakeEngine(std::string model) { facts_.model = std::move(model); }
  EngineFacts Facts() const override { return facts_; }
  EngineState State() const override { return {}; }
  uint64_t Generate(GenerateRequest request, OnGenerateEvent on_event) override {
    requests.push_back(std::move(request));
    hear.push_back(std::move(on_event));
    if (broken) Fail(hear.size() - 1, Status::kIo, "no engine lives");
    return 100 + hear.size() - 1;
  }
  void Cancel(uint64_t number, int32_t choice) override {
    cancelled.emplace_back(number - 100, choice);
  }
  void Embed(std::vector<std::vector<int32_t>>, OnEmbeddings) override { ++embedded; }

  void Say(size_t request, std::vector<int32_t> ids, FinishReason finish = FinishReason::kNone,
           int32_t choice = 0) {
    GenerateEvent event;
    event.choice = choice;
    event.finish = finish;
    for (const int32_t id : ids) event.tokens.push_back({id, 0, {}});
    hear.at(request)(std::move(event));
  }
  void Fail(size_t request, Status status, const std::string& error) {
    GenerateEvent event;
    event.finish = FinishReason::kError;
    event.status = status;
    event.error = error;
    hear.at(request)(std::move(event));
  }

  std::vector<GenerateRequest> requests;
  std::vector<OnGenerateEvent> hear;
  std::vector<std::pair<uint64_t, int32_t>> cancelled;
  int embedded = 0;
  bool broken = false;

 private:
  EngineFacts facts_;
};

// What one request was told.
struct Heard {
  std::vector<int32_t> ids;
  FinishReason finish = FinishReason::kNone;
  std::string error;
  int events = 0;
};

class TrialClientTest : public ::testing::Test {
 protected:
  void Make(double share, bool shadow, int32_t max_shadows = 16) {
    TrialOptions options;
    options.share = share;
    options.shadow = shadow;
    options.max_shadows = max_shadows;
    statistics = std::make_shared<TrialStatistics>(shadow);
    client = std::make_unique<TrialClient>(a, b, options, statistics, [this] { return now; });
  }
  uint64_t Ask(Heard* heard = nullptr, const std::string& sticky = "", int32_t n = 1) {
    GenerateRequest request;
    request.prompt = {1, 2};
    request.sampling.seed = 77;
    request.n = n;
    request.sticky = sticky;
    return client->Generate(std::move(request), [heard](const GenerateEvent& event) {
      if (heard == nullptr) return;
      for (const GeneratedToken& token : event.tokens) heard->ids.push_back(token.id);
      heard->finish = event.finish;
      heard->error = event.error;
      ++heard->events;
    });
  }
  Summary Sum() const { return statistics->Sum(0.05); }

  std::shared_ptr<FakeEngine> a = std::make_shared<FakeEngine>("a");
  std::shared_ptr<FakeEngine> b = std::make_shared<FakeEngine>("b");
  std::shared_ptr<TrialStatistics> statistics;
  std::unique_ptr<TrialClient> client;
  double now = 0;
};

TEST_F(TrialClientTest, SplitsByTheShareAndKeepsAUserOnOneArm) {
  Make(0.1, false);
  for (int user = 0; user < 2000; ++user) {
    const std::string sticky = "user" + std::to_string(user % 1000);
    const size_t before = b->hear.size();
    Ask(nullptr, sticky);
    EXPECT_EQ(b->hear.size() > before, client->IsBs(sticky));
  }
  // 100 of 1,000 users, give or take four deviations of 9.5, twice each.
  EXPECT_GT(b->hear.size(), 2 * 62u);
  EXPECT_LT(b->hear.size(), 2 * 138u);
  EXPECT_EQ(a->hear.size() + b->hear.size(), 2000u);
  EXPECT_EQ(b->hear.size() % 2, 0u) << "a user was on both arms";
}

TEST_F(TrialClientTest, EachClientDealsUsersAnew) {
  Make(0.5, false);
  const auto first = std::move(client);
  Make(0.5, false);
  int same = 0;
  for (int user = 0; user < 200; ++user) {
    const std::string sticky = std::to_string(user);
    same += first->IsBs(sticky) == client->IsBs(sticky) ? 1 : 0;
  }
  EXPECT_LT(same, 200);
}

TEST_F(TrialClientTest, TellsWhatBSaysAndHowLongItTook) {
  Make(1, false);
  Heard heard;
  Ask(&heard);
  ASSERT_EQ(b->hear.size(), 1u);
  EXPECT_EQ(b->requests[0].sampling.seed, 77u);
  now = 2;
  b->Say(0, {5});
  now = 5;
  b->Say(0, {6, 7, 8}, FinishReason::kLength);
  EXPECT_THAT(heard.ids, ElementsAre(5, 6, 7, 8));
  EXPECT_EQ(heard.finish, FinishReason::kLength);
  const Summary sum = Sum();
  EXPECT_EQ(sum.b.counts.done, 1);
  EXPECT_EQ(sum.b.counts.output_tokens, 4);
  EXPECT_EQ(sum.b.first_token.mean, 2);
  EXPECT_EQ(sum.b.per_token.mean, 1);
  EXPECT_EQ(sum.a.counts.begun, 0);
}

TEST_F(TrialClientTest, IsAToTheWorld) {
  Make(1, false);
  EXPECT_EQ(client->Facts().model, "a");
  client->Embed({}, [](const auto&) {});
  EXPECT_EQ(a->embedded, 1);
  EXPECT_EQ(b->embedded, 0);
}

TEST_F(TrialClientTest, CancelsWhereTheRequestIs) {
  Make(1, false);
  const uint64_t first = Ask(), second = Ask(nullptr, "", 3);
  client->Cancel(second, 2);
  client->Cancel(first, -1);
  EXPECT_THAT(b->cancelled, ElementsAre(std::pair(1, 2), std::pair(0, -1)));
  b->Say(0, {}, FinishReason::kCancelled);
  EXPECT_EQ(Sum().b.counts.cancelled, 1);
  client->Cancel(first, -1);
  EXPECT_EQ(b->cancelled.size(), 2u) << "an ended request was cancelled";
}

TEST_F(TrialClientTest, AAnswersWhatBFailsToBegin) {
  Make(1, false);
  Heard heard;
  Ask(&heard);
  b->Fail(0, Status::kIo, "the engine was lost");
  ASSERT_EQ(a->hear.size(), 1u);
  EXPECT_EQ(a->requests[0].prompt, (std::vector<int32_t>{1, 2}));
  a->Say(0, {9}, FinishReason::kStop);
  EXPECT_THAT(heard.ids, ElementsAre(9));
  EXPECT_EQ(heard.error, "");
  EXPECT_EQ(heard.events, 1);
  EXPECT_EQ(Sum().b.counts.failed, 1);
  EXPECT_EQ(Sum().b.counts.last_error, "the engine was lost");
  EXPECT_EQ(Sum().a.counts.done, 1);
}

TEST_F(TrialClientTest, WhatBBeganToAnswerEndsWithItsError) {
  Make(1, false);
  Heard heard;
  Ask(&heard);
  b->Say(0, {9});
  b->Fail(0, Status::kInternal, "broken");
  EXPECT_EQ(heard.error, "broken");
  EXPECT_THAT(a->hear, IsEmpty());
  EXPECT_EQ(Sum().b.counts.failed, 1);
}

TEST_F(TrialClientTest, ARequestsOwnFaultIsNoErrorOfBs) {
  Make(1, false);
  Heard heard;
  Ask(&heard);
  b->Fail(0, Status::kUnsupported, "no logprobs");
  a->Fail(0, Status::kUnsupported, "no logprobs");
  EXPECT_EQ(heard.error, "no logprobs");
  EXPECT_EQ(Sum().b.counts.failed, 0);
  EXPECT_EQ(Sum().b.counts.refused, 1);
  EXPECT_EQ(Sum().a.counts.refused, 1);
}

TEST_F(TrialClientTest, RollBackMovesWhatWaitsAndLeavesWhatRuns) {
  Make(1, false);
  Heard running, waiting, later;
  Ask(&running);
  const uint64_t moved = Ask(&waiting);
  b->Say(0, {1});
  client->Settle(Arm::kA);
  EXPECT_THAT(b->cancelled, ElementsAre(std::pair(1, -1)));
  b->Say(1, {}, FinishReason::kCancelled);  // nobody hears of it
  EXPECT_EQ(waiting.events, 0);
  ASSERT_EQ(a->hear.size(), 1u);
  client->Cancel(moved, -1);
  EXPECT_THAT(a->cancelled, ElementsAre(std::pair(0, -1)));
  a->Say(0, {3}, FinishReason::kStop);
  b->Say(0, {2}, FinishReason::kStop);
  EXPECT_THAT(running.ids, ElementsAre(1, 2));
  EXPECT_THAT(waiting.ids, ElementsAre(3));
  Ask(&later);
  EXPECT_EQ(a->hear.size(), 2u);
  EXPECT_EQ(b->hear.size(), 2u);
  EXPECT_EQ(Sum().a.counts.begun, 1) << "what came behind the end was counted";
}

TEST_F(TrialClientTest, PromotionSendsAllToBAndNothingBack) {
  Make(0, false);
  Heard before, behind;
  Ask(&before);
  client->Settle(Arm::kB);
  Ask(&behind);
  a->Say(0, {1}, FinishReason::kStop);
  EXPECT_THAT(before.ids, ElementsAre(1));
  ASSERT_EQ(b->hear.size(), 1u);
  b->Fail(0, Status::kIo, "lost");
  EXPECT_EQ(behind.error, "lost");
  EXPECT_EQ(a->hear.size(), 1u);
}

TEST_F(TrialClientTest, AShadowGetsTheSameRequestAndIsNotHeard) {
  Make(1, true);
  Heard heard;
  Ask(&heard);
  ASSERT_EQ(b->requests.size(), 1u);
  EXPECT_EQ(b->requests[0].sampling.seed, 77u);
  EXPECT_EQ(b->requests[0].prompt, a->requests[0].prompt);
  b->Say(0, {5, 9}, FinishReason::kStop);
  EXPECT_EQ(heard.events, 0);
  a->Say(0, {5, 6}, FinishReason::kStop);
  EXPECT_THAT(heard.ids, ElementsAre(5, 6));
  EXPECT_EQ(heard.events, 1);
  const Summary sum = Sum();
  EXPECT_EQ(sum.outputs.compared, 1);
  EXPECT_EQ(sum.outputs.identical, 0);
  EXPECT_EQ(sum.outputs.first_difference_median, 1);
}

TEST_F(TrialClientTest, AFailingShadowIsNotHeard) {
  Make(1, true);
  Heard heard;
  b->broken = true;
  Ask(&heard);
  a->Say(0, {5}, FinishReason::kStop);
  EXPECT_EQ(heard.finish, FinishReason::kStop);
  EXPECT_EQ(heard.error, "");
  EXPECT_EQ(Sum().b.counts.failed, 1);
  EXPECT_EQ(Sum().outputs.compared, 0);
}

TEST_F(TrialClientTest, ShadowsDoNotPileUp) {
  Make(1, true, 2);
  for (int i = 0; i < 5; ++i) Ask();
  EXPECT_EQ(a->hear.size(), 5u);
  EXPECT_EQ(b->hear.size(), 2u);
  EXPECT_EQ(Sum().not_shadowed, 3);
  // A is through with both, B with one: one more may come.
  for (int i = 0; i < 2; ++i) a->Say(static_cast<size_t>(i), {1}, FinishReason::kStop);
  b->Say(0, {1}, FinishReason::kStop);
  b->hear[0] = nullptr;  // an engine forgets a request that has ended
  a->hear[0] = nullptr;
  Ask();
  Ask();
  EXPECT_EQ(b->hear.size(), 3u);
}

TEST_F(TrialClientTest, CancellingCancelsTheShadowToo) {
  Make(1, true);
  const uint64_t number = Ask();
  client->Cancel(number, -1);
  EXPECT_THAT(a->cancelled, ElementsAre(std::pair(0, -1)));
  EXPECT_THAT(b->cancelled, ElementsAre(std::pair(0, -1)));
  a->Say(0, {}, FinishReason::kCancelled);
  b->Say(0, {}, FinishReason::kCancelled);
  EXPECT_EQ(Sum().outputs.compared, 0);
  EXPECT_EQ(Sum().b.counts.cancelled, 1);
}

TEST_F(TrialClientTest, WhoLeavesWithAllOfAsAnswerLeavesTheShadowToItsEnd) {
  Make(1, true);
  const uint64_t number = Ask();
  a->Say(0, {1, 2}, FinishReason::kLength);
  client->Cancel(number, -1);
  EXPECT_THAT(b->cancelled, IsEmpty());
  b->Say(0, {1, 2}, FinishReason::kLength);
  EXPECT_EQ(Sum().outputs.identical, 1);
}

TEST_F(TrialClientTest, AShadowSaysAsMuchAsWasHeardOfA) {
  Make(1, true);
  const uint64_t number = Ask();
  a->Say(0, {1, 2});
  client->Cancel(number, 0);  // as a stop string does
  a->Say(0, {3}, FinishReason::kCancelled);
  EXPECT_THAT(b->cancelled, IsEmpty());
  b->Say(0, {1, 2});
  EXPECT_THAT(b->cancelled, IsEmpty());
  b->Say(0, {3, 8});
  EXPECT_THAT(b->cancelled, ElementsAre(std::pair(0, 0)));
  b->Say(0, {}, FinishReason::kCancelled);
  EXPECT_EQ(Sum().outputs.identical, 1);
  EXPECT_EQ(Sum().b.counts.done, 1);
}

TEST_F(TrialClientTest, TheEndOfATrialCancelsShadows) {
  Make(1, true);
  Heard heard;
  Ask(&heard);
  client->Settle(Arm::kB);
  EXPECT_THAT(b->cancelled, ElementsAre(std::pair(0, -1)));
  EXPECT_THAT(a->cancelled, IsEmpty());
  a->Say(0, {4}, FinishReason::kStop);
  EXPECT_THAT(heard.ids, ElementsAre(4));
}

TEST(FirstDifference, IsOfTokensLengthsAndEnds) {
  using O = Output;
  const auto stop = FinishReason::kStop, length = FinishReason::kLength;
  EXPECT_EQ(FirstDifference({O{{1, 2}, stop}}, {O{{1, 2}, stop}}), -1);
  EXPECT_EQ(FirstDifference({O{{1, 2}, stop}}, {O{{1, 2}, length}}), 2);
  EXPECT_EQ(FirstDifference({O{{1, 2}, stop}}, {O{{1, 3}, stop}}), 1);
  EXPECT_EQ(FirstDifference({O{{1, 2}, stop}}, {O{{1}, stop}}), 1);
  EXPECT_EQ(FirstDifference({O{{1}, stop}}, {O{{1, 2}, stop}}), 1);
  EXPECT_EQ(FirstDifference({O{{1, 2}, stop}, O{{4}, stop}}, {O{{1, 3}, stop}, O{{5}, stop}}), 0);
  const auto cut = FinishReason::kCancelled;
  EXPECT_EQ(FirstDifference({O{{1}, cut}}, {O{{1, 2}, length}}), -1);
  EXPECT_EQ(FirstDifference({O{{1, 2}, cut}}, {O{{1}, stop}}), 1);
}

}  // namespace
}  // namespace tenon::apps::trial
