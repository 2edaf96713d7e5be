// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "apps/link/fleet.h"
#include "apps/openai/api.h"

// An Api and a Fleet whose answers tests choose.
namespace tenon::apps::server::testing {

// A call of FakeApi, played by the test.
struct FakeCall : openai::Call {
  openai::Endpoint endpoint{};
  std::string body;
  openai::Caller caller;
  std::shared_ptr<openai::ReplySink> sink;
  std::atomic<bool> cancelled = false;
  void Cancel() override { cancelled = true; }
};

class FakeApi : public openai::Api {
 public:
  // What a call does when it starts; the default answers with its own body.
  std::function<void(const std::shared_ptr<FakeCall>&)> on_start =
      [](const std::shared_ptr<FakeCall>& call) { call->sink->Whole(call->body); };

  std::shared_ptr<openai::Call> Start(openai::Endpoint endpoint, std::string_view body,
                                      const openai::Caller& caller,
                                      std::shared_ptr<openai::ReplySink> sink) override {
    auto call = std::make_shared<FakeCall>();
    call->endpoint = endpoint;
    call->body = body;
    call->caller = caller;
    call->sink = std::move(sink);
    {
      const std::lock_guard lock(mutex_);
      calls_.push_back(call);
    }
    on_start(call);
    return call;
  }
  std::string ModelsJson() const override {
    return R"({"object":"list","data":[{"id":"fake","object":"model"}]})";
  }
  int64_t Running() const override { return 0; }
  int64_t Waiting() const override { return 0; }

  std::vector<std::shared_ptr<FakeCall>> Calls() const {
    const std::lock_guard lock(mutex_);
    return calls_;
  }
  // Its calls hold sinks, which hold connections.
  void Forget() {
    const std::lock_guard lock(mutex_);
    calls_.clear();
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::shared_ptr<FakeCall>> calls_;
};

// An engine that only has a state.
struct FakeEngine : EngineClient {
  EngineFacts facts;
  EngineState state;
  EngineFacts Facts() const override { return facts; }
  EngineState State() const override { return state; }
  uint64_t Generate(GenerateRequest, OnGenerateEvent) override { return 0; }
  void Cancel(uint64_t, int32_t) override {}
  void Embed(std::vector<std::vector<int32_t>>, OnEmbeddings) override {}
};

class FakeFleet : public Fleet {
 public:
  std::string why_not;
  std::vector<std::shared_ptr<const openai::ServedModel>> models;
  std::function<Result<void>(const std::string&)> on_reload = [](const std::string&) {
    return Result<void>();
  };

  std::vector<std::shared_ptr<const openai::ServedModel>> Models() const override { return models; }
  Result<openai::NamedModel> Find(const std::string&, const std::string&) const override {
    return Error{Status::kNotFound, "no model"};
  }
  std::string WhyNotReady() const override { return why_not; }
  std::string Failed() const override { return ""; }
  Result<void> Reload(const std::string& path) override { return on_reload(path); }
  void Stop(double) override {}
};

}  // namespace tenon::apps::server::testing
