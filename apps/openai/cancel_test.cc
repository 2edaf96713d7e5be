// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <map>
#include <thread>

#include "apps/openai/testing/fakes.h"
#include "text/testing/vocabularies.h"

namespace tenon::apps::openai {
namespace {

using core::FinishReason;

// Answers each request with "abc" over and over from a thread of its own, until its length or its
// end.
class TalkingEngine : public EngineClient {
 public:
  TalkingEngine() : thread_([this] { Loop(); }) {}
  ~TalkingEngine() override {
    stop_ = true;
    thread_.join();
  }
  EngineFacts Facts() const override { return {}; }
  EngineState State() const override { return {}; }
  uint64_t Generate(GenerateRequest request, OnGenerateEvent on_event) override {
    const std::lock_guard lock(mutex_);
    open_[next_] = {std::move(request), std::move(on_event), 0, false};
    return next_++;
  }
  void Cancel(uint64_t request, int32_t choice) override {
    const std::lock_guard lock(mutex_);
    const auto at = open_.find(request);
    if (at != open_.end() && choice <= 0) at->second.cancelled = true;
  }
  void Embed(std::vector<std::vector<int32_t>>, OnEmbeddings) override {}
  size_t Open() const {
    const std::lock_guard lock(mutex_);
    return open_.size();
  }

 private:
  struct Request {
    GenerateRequest request;
    OnGenerateEvent on_event;
    int32_t said = 0;
    bool cancelled = false;
  };

  void Loop() {
    while (!stop_) {
      std::vector<std::pair<OnGenerateEvent, GenerateEvent>> told;
      {
        const std::lock_guard lock(mutex_);
        for (auto at = open_.begin(); at != open_.end();) {
          Request& one = at->second;
          GenerateEvent event;
          if (!one.cancelled) event.tokens = {{'a' + one.said++ % 3, -1, {}}};
          if (one.said == one.request.max_tokens) event.finish = FinishReason::kLength;
          if (one.cancelled) event.finish = FinishReason::kCancelled;
          told.emplace_back(one.on_event, event);
          at = event.finish == FinishReason::kNone ? std::next(at) : open_.erase(at);
        }
      }
      for (auto& [hear, event] : told) hear(std::move(event));
      std::this_thread::sleep_for(std::chrono::microseconds(20));
    }
  }

  mutable std::mutex mutex_;
  std::map<uint64_t, Request> open_;
  uint64_t next_ = 1;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

class TalkingModel : public ModelDirectory {
 public:
  explicit TalkingModel(std::shared_ptr<EngineClient> engine) {
    auto model = std::make_shared<ServedModel>();
    model->name = "talk";
    model->facts.max_context = 4096;
    model->text = testing::ByteText();
    model->engine = std::move(engine);
    model_ = std::move(model);
  }
  std::vector<std::shared_ptr<const ServedModel>> Models() const override { return {model_}; }
  Result<NamedModel> Find(const std::string&, const std::string&) const override {
    return NamedModel{model_, {}};
  }
  // Whether no call holds the model any more.
  bool Unused() const { return model_.use_count() == 1; }

 private:
  std::shared_ptr<const ServedModel> model_;
};

// Counts; cancels its own call from within a chunk where asked to.
class WatchingSink : public ReplySink {
 public:
  explicit WatchingSink(int64_t cancel_at) : cancel_at_(cancel_at) {}
  void Whole(std::string) override { ++ends; }
  void End() override { ++ends; }
  void Fail(const ApiError&) override { ++ends; }
  void Chunk(std::string) override {
    if (closed) ++late;
    if (++chunks != cancel_at_) return;
    const std::shared_ptr<Call> own = std::atomic_load(&call);
    if (own == nullptr) return;
    own->Cancel();
    closed = true;
  }
  std::shared_ptr<Call> call;
  std::atomic<int64_t> chunks = 0, ends = 0, late = 0;
  std::atomic<bool> closed = false;

 private:
  const int64_t cancel_at_;
};

class Ended : public CallObserver {
 public:
  void OnFirstToken(const std::string&, double) override {}
  void OnTokens(const std::string&, int32_t, double) override {}
  void OnDone(const CallRecord&) override { ++done; }
  void OnUnknownField(std::string_view) override {}
  std::atomic<int64_t> done = 0;
};

TEST(Cancel, AtAnyMomentEndsACallOnceAndSendsNothingAfter) {
  constexpr int kCalls = 600;
  const auto engine = std::make_shared<TalkingEngine>();
  const TalkingModel models(engine);
  Ended observer;
  const auto api = MakeApi(models, observer, {}, {});
  text::testing::Random random(5);
  std::vector<std::shared_ptr<WatchingSink>> sinks;
  for (int i = 0; i < kCalls; ++i) {
    const std::string stop = random.Below(3) == 0 ? R"(,"stop":"cab")" : "";
    const std::string stream = random.Below(3) == 0 ? "false" : "true";
    const auto sink = std::make_shared<WatchingSink>(
        random.Below(4) == 0 ? static_cast<int64_t>(1 + random.Below(20)) : -1);
    const auto call =
        api->Start(Endpoint::kCompletions,
                   R"({"prompt":["a","b"],"max_tokens":)" + std::to_string(1 + random.Below(40)) +
                       ",\"stream\":" + stream + stop + "}",
                   {"r", "t"}, sink);
    std::atomic_store(&sink->call, call);
    sinks.push_back(sink);
    if (random.Below(3) != 0) continue;
    std::this_thread::sleep_for(std::chrono::microseconds(random.Below(500)));
    call->Cancel();
    sink->closed = true;
  }
  while (api->Running() > 0 || engine->Open() > 0) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  EXPECT_EQ(observer.done, kCalls);
  EXPECT_EQ(api->Waiting(), 0);
  for (const auto& sink : sinks) {
    EXPECT_EQ(sink->late, 0);
    EXPECT_LE(sink->ends, 1);
    sink->call = nullptr;
  }
  // The engine's thread may still hold the last calls, and must not be the one that ends the
  // engine.
  while (!models.Unused()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

}  // namespace
}  // namespace tenon::apps::openai
