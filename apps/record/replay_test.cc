// SPDX-License-Identifier: Apache-2.0
#include "apps/record/replay.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <limits>

#include "apps/engine/generation_loop.h"
#include "apps/record/difference.h"
#include "apps/record/recording_client.h"
#include "core/engine/fake_parts.h"

namespace tenon::apps::record {
namespace {

using core::testing::Expected;

constexpr core::ProgramLimits kLimits{.max_tokens = 64,
                                      .max_logit_rows = 64,
                                      .max_context = 128,
                                      .kv_bytes = 1 << 20,
                                      .max_sequences = 32};
constexpr double kAtOnce = std::numeric_limits<double>::infinity();

struct Engine {
  const std::shared_ptr<core::testing::FakeEngine> fake =
      std::make_shared<core::testing::FakeEngine>(kLimits, 4, false);
  std::shared_ptr<EngineClient> client = RunOnThread(std::make_shared<GenerationLoop>(
      std::shared_ptr<core::Engine>(fake, fake->engine.get()), EngineFacts(), [] {}));
};

class Sink : public RequestSink {
 public:
  void Keep(RecordedRequest request) override {
    const std::lock_guard lock(mutex_);
    requests_.push_back(std::move(request));
    changed_.notify_all();
  }
  // By arrival, once there are so many.
  std::vector<RecordedRequest> Take(size_t count) {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, std::chrono::seconds(60),
                                  [&] { return requests_.size() >= count; }));
    std::sort(requests_.begin(), requests_.end(),
              [](const auto& a, const auto& b) { return a.arrival_us < b.arrival_us; });
    return std::move(requests_);
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<RecordedRequest> requests_;
};

GenerateRequest Asking(std::vector<int32_t> prompt, int32_t tokens, uint64_t seed = 0,
                       int32_t n = 1) {
  GenerateRequest request;
  request.prompt = std::move(prompt);
  request.max_tokens = tokens;
  request.sampling.seed = seed;
  request.n = n;
  return request;
}

RecordedRequest Recorded(int64_t arrival_us, std::vector<int32_t> prompt, int32_t tokens) {
  RecordedRequest request;
  request.arrival_us = arrival_us;
  request.request = Asking(prompt, tokens);
  request.choices.resize(1);
  request.choices[0].tokens = Expected(std::move(prompt), tokens);
  request.choices[0].end = End::kLength;
  return request;
}

TEST(RecordingClient, KeepsWhatWasAskedAndWhatCame) {
  Engine engine;
  Sink sink;
  RecordingClient client(engine.client, sink, Clock::now(), 4);
  std::promise<void> heard;
  int left = 2;
  client.Generate(Asking({5, 6}, 20, 3, 2), [&](const GenerateEvent& event) {
    if (event.finish != core::FinishReason::kNone && --left == 0) heard.set_value();
  });
  heard.get_future().wait();
  const auto requests = sink.Take(1);
  ASSERT_EQ(requests.size(), 1u);
  EXPECT_EQ(requests[0].engine, 4);
  EXPECT_EQ(requests[0].request.prompt, (std::vector<int32_t>{5, 6}));
  EXPECT_EQ(requests[0].cancel_us, -1);
  ASSERT_EQ(requests[0].choices.size(), 2u);
  for (uint64_t i = 0; i < 2; ++i) {
    const RecordedChoice& choice = requests[0].choices[i];
    EXPECT_EQ(choice.tokens, Expected({5, 6}, 20, 3 + i));
    EXPECT_EQ(choice.end, End::kLength);
    EXPECT_GE(choice.first_token_us, 0);
    EXPECT_GE(choice.last_token_us, choice.first_token_us);
  }
}

TEST(RecordingClient, KeepsWhatWasCancelledAndRefused) {
  Engine engine;
  Sink sink;
  RecordingClient client(engine.client, sink, Clock::now(), 0);
  std::promise<void> began;
  std::atomic<bool> told = false;
  const uint64_t number = client.Generate(Asking({5}, 120, 0, 8), [&](const GenerateEvent&) {
    if (!told.exchange(true)) began.set_value();
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  });
  began.get_future().wait();
  client.Cancel(number, -1);
  client.Generate(Asking({}, 5), [](const GenerateEvent&) {});
  const auto requests = sink.Take(2);
  EXPECT_GE(requests[0].cancel_us, 0);
  EXPECT_EQ(requests[0].choices[7].end, End::kCancelled);
  EXPECT_LT(requests[0].choices[7].tokens.size(), 120u);
  EXPECT_EQ(requests[1].choices[0].end, End::kError);
  EXPECT_THAT(requests[1].choices[0].error, ::testing::HasSubstr("prompt"));
}

TEST(Replay, GivesTheSameAgain) {
  Engine engine;
  std::vector<RecordedRequest> requests;
  for (int32_t i = 0; i < 40; ++i) requests.push_back(Recorded(i * 100, {i, 1, i % 7}, 3 + i % 9));
  requests[17].choices[0].tokens[2] ^= 1;
  const ReplayRun run = Replay(*engine.client, requests, {.speed = kAtOnce});
  const Differences differences = Compare(requests, run);
  EXPECT_EQ(differences.counts[static_cast<size_t>(Outcome::kIdentical)], 39);
  ASSERT_EQ(differences.changes.size(), 1u);
  EXPECT_EQ(differences.changes[0].request, 17u);
  EXPECT_EQ(differences.changes[0].token, 2u);
  EXPECT_EQ(differences.changes[0].replayed, requests[17].choices[0].tokens[2] ^ 1);
}

TEST(Replay, KeepsTheDistancesOfArrivals) {
  Engine engine;
  std::vector<RecordedRequest> requests;
  for (int32_t i = 0; i < 5; ++i) requests.push_back(Recorded(5000000 + i * 60000, {i}, 2));
  const ReplayRun run = Replay(*engine.client, requests, {.speed = 2});
  for (int32_t i = 0; i < 5; ++i) {
    EXPECT_EQ(run.requests[static_cast<size_t>(i)].due_us, i * 30000);
    EXPECT_GE(run.requests[static_cast<size_t>(i)].sent_us, i * 30000);
  }
  EXPECT_GE(run.seconds, 0.12);
}

TEST(Replay, CancelsWhereItWasCancelled) {
  Engine engine;
  std::vector<RecordedRequest> requests = {Recorded(0, {5}, 5), Recorded(1, {6}, 5)};
  // The first left when it had 5 of 100 tokens, the second before the first.
  for (RecordedRequest& request : requests) {
    request.request.max_tokens = 100;
    request.choices[0].end = End::kCancelled;
  }
  requests[1].choices[0].tokens.clear();
  requests[1].cancel_us = 0;
  const ReplayRun run = Replay(*engine.client, requests, {});
  EXPECT_EQ(run.requests[0].choices[0].end, End::kCancelled);
  EXPECT_GE(run.requests[0].choices[0].tokens.size(), 5u);
  EXPECT_EQ(run.requests[1].choices[0].end, End::kCancelled);
  const Differences differences = Compare(requests, run);
  EXPECT_EQ(differences.outcomes[0], Outcome::kSameSoFar);
  EXPECT_NE(differences.outcomes[1], Outcome::kChanged);
}

TEST(Replay, StopsWithWhatItKnows) {
  Engine engine;
  std::vector<RecordedRequest> requests = {Recorded(0, {5}, 5), Recorded(60000000, {6}, 5)};
  volatile bool stop = false;
  ReplayOptions options;
  options.stop = &stop;
  options.progress = [&](const ReplayProgress& now) { stop = now.ended == 1; };
  const ReplayRun run = Replay(*engine.client, requests, options);
  EXPECT_TRUE(run.stopped);
  EXPECT_LT(run.seconds, 30);
  const Differences differences = Compare(requests, run);
  EXPECT_EQ(differences.outcomes[0], Outcome::kIdentical);
  EXPECT_EQ(differences.outcomes[1], Outcome::kUnsent);
}

TEST(Replay, TellsWhatTheEngineRefused) {
  Engine engine;
  std::vector<RecordedRequest> requests = {Recorded(0, {5}, 5)};
  requests[0].request.adapter = "nobody";
  const Differences differences =
      Compare(requests, Replay(*engine.client, requests, {.speed = kAtOnce}));
  EXPECT_EQ(differences.outcomes[0], Outcome::kFailed);
  ASSERT_EQ(differences.errors.size(), 1u);
  EXPECT_THAT(differences.errors[0], ::testing::HasSubstr("nobody"));
}

}  // namespace
}  // namespace tenon::apps::record
