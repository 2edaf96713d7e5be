// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <future>
#include <thread>

#include "apps/engine/generation_loop.h"
#include "apps/link/remote_client.h"
#include "apps/link/worker_service.h"
#include "core/engine/fake_parts.h"

namespace tenon::apps::link {
namespace {

using core::FinishReason;
using core::testing::Expected;
using ::testing::HasSubstr;

constexpr core::ProgramLimits kLimits{.max_tokens = 64,
                                      .max_logit_rows = 64,
                                      .max_context = 128,
                                      .kv_bytes = 1 << 20,
                                      .max_sequences = 32};

// A folder that goes away with it.
struct Folder {
  Folder() {
    std::string name = ::testing::TempDir() + "tenon-link-XXXXXX";
    path = mkdtemp(name.data());
  }
  ~Folder() { std::filesystem::remove_all(path); }
  std::string path;
};

// The worker's side, in this process.
struct Worker {
  explicit Worker(const std::string& socket, bool load = true) {
    auto listening = WorkerService::Listen({.socket = socket, .host = "", .tls = {}});
    EXPECT_TRUE(listening.ok()) << listening.error().message;
    service = std::move(*listening);
    if (load) Load();
  }
  explicit Worker(std::unique_ptr<WorkerService> listening) : service(std::move(listening)) {
    Load();
  }
  void Load() {
    EngineFacts facts;
    facts.model = "fake";
    facts.vocabulary = core::testing::kVocabulary;
    facts.max_context = kLimits.max_context;
    facts.max_sequences = kLimits.max_sequences;
    facts.adapters = {"first"};
    engine = RunOnThread(std::make_shared<GenerationLoop>(
        std::shared_ptr<core::Engine>(fake, fake->engine.get()), facts, service->AfterStep()));
    service->Serve(engine, {.resolved = "model: fake\n",
                            .sha256 = "ab",
                            .isa = "any",
                            .threads = 3,
                            .components = {{"device", "cpu", "acme.cpu", "1.2", "/cpu.so", "cd"}}});
  }
  const std::shared_ptr<core::testing::FakeEngine> fake =
      std::make_shared<core::testing::FakeEngine>(kLimits, 4, false);
  std::unique_ptr<WorkerService> service;
  std::shared_ptr<EngineClient> engine;
};

// What one request heard.
struct Listener {
  OnGenerateEvent OnEvent() {
    return [this](GenerateEvent event) {
      for (const GeneratedToken& token : event.tokens) {
        ids[event.choice].push_back(token.id);
        tops += token.top.size();
      }
      const bool over = event.finish == FinishReason::kError ||
                        (event.finish != FinishReason::kNone && --left == 0);
      last = std::move(event);
      if (over && !std::exchange(told, true)) done.set_value();
    };
  }
  bool Wait() {
    return done.get_future().wait_for(std::chrono::seconds(60)) == std::future_status::ready;
  }
  std::map<int32_t, std::vector<int32_t>> ids;
  GenerateEvent last;
  size_t tops = 0;
  int32_t left = 1;
  bool told = false;
  std::promise<void> done;
};

GenerateRequest Asking(std::vector<int32_t> prompt, int32_t tokens) {
  GenerateRequest request;
  request.prompt = std::move(prompt);
  request.max_tokens = tokens;
  return request;
}

std::shared_ptr<RemoteClient> Connect(const std::string& socket) {
  auto client = RemoteClient::Connect({.socket = socket, .host = "", .tls = {}}, [] {});
  EXPECT_TRUE(client.ok());
  return *client;
}

template <typename Condition>
bool Eventually(Condition condition) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

TEST(Link, GeneratesAsTheEngineDoes) {
  const Folder folder;
  Worker worker(folder.path + "/a");
  const auto client = Connect(folder.path + "/a");
  ASSERT_TRUE(Eventually([&] { return client->Link().serving; }));
  EXPECT_EQ(client->Facts().model, "fake");
  EXPECT_EQ(client->Facts().adapters, std::vector<std::string>{"first"});
  const EngineIdentity identity = client->Identity();
  EXPECT_EQ(identity.resolved, "model: fake\n");
  EXPECT_EQ(identity.sha256 + identity.isa, "abany");
  EXPECT_EQ(identity.threads, 3);
  ASSERT_EQ(identity.components.size(), 1u);
  EXPECT_EQ(identity.components[0].plugin, "acme.cpu");
  EXPECT_EQ(identity.components[0].sha256, "cd");
  Listener one, many;
  GenerateRequest request = Asking({5, 6, 7}, 20);
  request.logprobs = 3;
  request.adapter = "first";
  request.sampling.temperature = 0;
  client->Generate(std::move(request), one.OnEvent());
  request = Asking({1, 2}, 30);
  request.n = many.left = 3;
  client->Generate(std::move(request), many.OnEvent());
  ASSERT_TRUE(one.Wait() && many.Wait());
  EXPECT_EQ(one.ids[0], Expected({5, 6, 7}, 20, 0, 0));
  EXPECT_EQ(one.tops, 60U);
  for (int32_t choice = 0; choice < 3; ++choice) {
    EXPECT_EQ(many.ids[choice], Expected({1, 2}, 30, static_cast<uint64_t>(choice)));
  }
  EXPECT_TRUE(Eventually([&] { return client->State().output_tokens == 110; }));
  EXPECT_EQ(client->Link().requests, 0);
  EXPECT_EQ(client->Link().tokens, 0);
}

TEST(Link, TheSocketIsItsOwnersAlone) {
  const Folder folder;
  const Worker worker(folder.path + "/a");
  struct stat status {};
  ASSERT_EQ(stat((folder.path + "/a").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
}

TEST(Link, HeartbeatsComeWhileTheEngineLoads) {
  const Folder folder;
  Worker worker(folder.path + "/a", false);
  const auto client = Connect(folder.path + "/a");
  ASSERT_TRUE(Eventually([&] { return client->State().why_not == "loading"; }));
  EXPECT_FALSE(client->Link().serving);
  worker.Load();
  ASSERT_TRUE(Eventually([&] { return client->Link().serving && client->State().ready; }));
  EXPECT_LT(client->Link().silence_s, 30);
}

TEST(Link, RefusalsComeBack) {
  const Folder folder;
  Worker worker(folder.path + "/a");
  const auto client = Connect(folder.path + "/a");
  ASSERT_TRUE(Eventually([&] { return client->Link().serving; }));
  Listener longer, wild, unknown;
  client->Generate(Asking({1}, 1000), longer.OnEvent());
  ASSERT_TRUE(longer.Wait());
  EXPECT_EQ(longer.last.status, Status::kInvalid);
  EXPECT_THAT(longer.last.error, HasSubstr("the context holds 128"));
  GenerateRequest request = Asking({1}, 1);
  request.n = 1000;
  client->Generate(std::move(request), wild.OnEvent());
  ASSERT_TRUE(wild.Wait());
  EXPECT_THAT(wild.last.error, HasSubstr("n is 1000; 1 to 32 allowed"));
  client->Generate(Asking({-5}, 1), unknown.OnEvent());
  ASSERT_TRUE(unknown.Wait());
  EXPECT_THAT(unknown.last.error, HasSubstr("token id -5"));
}

TEST(Link, CancelReachesTheEngine) {
  const Folder folder;
  Worker worker(folder.path + "/a");
  const auto client = Connect(folder.path + "/a");
  ASSERT_TRUE(Eventually([&] { return client->Link().serving; }));
  Listener listener;
  std::atomic<bool> first = false;
  const OnGenerateEvent hear = listener.OnEvent();
  const uint64_t id = client->Generate(Asking({1}, 120), [&](GenerateEvent event) {
    // The engine is fast: hold it until the cancel is on its way.
    first = true;
    hear(std::move(event));
  });
  client->Cancel(id);
  ASSERT_TRUE(listener.Wait());
  ASSERT_TRUE(Eventually([&] { return client->State().running + client->State().waiting == 0; }));
  EXPECT_EQ(client->Link().requests, 0);
}

TEST(Link, ALostWorkerEndsItsRequestsWithAnError) {
  const Folder folder;
  auto worker = std::make_unique<Worker>(folder.path + "/a", false);
  // An engine that never answers.
  class Silent final : public EngineClient {
   public:
    EngineFacts Facts() const override {
      EngineFacts facts;
      facts.vocabulary = facts.max_context = facts.max_sequences = 100;
      return facts;
    }
    EngineState State() const override { return {}; }
    uint64_t Generate(GenerateRequest, OnGenerateEvent on_event) override {
      kept.push_back(std::move(on_event));
      return kept.size();
    }
    void Cancel(uint64_t, int32_t) override { ++cancelled; }
    void Embed(std::vector<std::vector<int32_t>>, OnEmbeddings) override {}
    std::vector<OnGenerateEvent> kept;
    std::atomic<int> cancelled = 0;
  };
  const auto silent = std::make_shared<Silent>();
  worker->service->Serve(silent, {});
  const auto client = Connect(folder.path + "/a");
  ASSERT_TRUE(Eventually([&] { return client->Link().serving; }));
  Listener open;
  client->Generate(Asking({1}, 5), open.OnEvent());
  std::promise<Status> embedded;
  client->Embed({{1}}, [&](auto vectors) { embedded.set_value(vectors.error().status); });
  EXPECT_EQ(client->Link().requests, 2);
  worker.reset();
  ASSERT_TRUE(open.Wait());
  EXPECT_EQ(open.last.finish, FinishReason::kError);
  EXPECT_EQ(open.last.status, Status::kIo);
  EXPECT_EQ(embedded.get_future().get(), Status::kIo);
  EXPECT_FALSE(client->Link().lost.empty());
  Listener late;
  client->Generate(Asking({1}, 5), late.OnEvent());
  ASSERT_TRUE(late.Wait());
  EXPECT_EQ(late.last.status, Status::kIo);
  silent->kept.clear();
}

// Certificates of a fresh authority.
struct Authority {
  explicit Authority(const Folder& folder, const std::string& name)
      : base(folder.path + "/" + name) {
    Make("ca", "");
    Make("worker", Signed());
    Make("server", Signed());
  }
  void Make(const std::string& who, const std::string& more) const {
    const std::string file = base + "-" + who;
    const std::string command =
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=" +
        who + " -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout " + file + ".key -out " +
        file + ".pem " + more + " 2>/dev/null";
    ASSERT_EQ(std::system(command.c_str()), 0) << command;
  }
  std::string Signed() const { return "-CA " + base + "-ca.pem -CAkey " + base + "-ca.key"; }
  TlsFiles Of(const std::string& who) const {
    return {base + "-" + who + ".pem", base + "-" + who + ".key", base + "-ca.pem"};
  }
  std::string base;
};

TEST(Link, OverTcpBothSidesShowACertificate) {
  const Folder folder;
  const Authority ours(folder, "ours"), theirs(folder, "theirs");
  auto listening =
      WorkerService::Listen({.socket = "", .host = "127.0.0.1:0", .tls = ours.Of("worker")});
  ASSERT_TRUE(listening.ok()) << listening.error().message;
  Worker worker(std::move(*listening));
  const std::string host = "localhost:" + std::to_string(worker.service->Port());
  auto known = RemoteClient::Connect({.socket = "", .host = host, .tls = ours.Of("server")}, [] {});
  ASSERT_TRUE(known.ok());
  ASSERT_TRUE(Eventually([&] { return (*known)->Link().serving; }));
  Listener listener;
  (*known)->Generate(Asking({5}, 10), listener.OnEvent());
  ASSERT_TRUE(listener.Wait());
  EXPECT_EQ(listener.ids[0], Expected({5}, 10));

  TlsFiles stranger = theirs.Of("server");
  stranger.ca = ours.Of("server").ca;
  auto unknown = RemoteClient::Connect({.socket = "", .host = host, .tls = stranger}, [] {});
  ASSERT_TRUE(unknown.ok());
  EXPECT_TRUE(Eventually([&] { return !(*unknown)->Link().lost.empty(); }));
  auto distrusts =
      RemoteClient::Connect({.socket = "", .host = host, .tls = theirs.Of("server")}, [] {});
  ASSERT_TRUE(distrusts.ok());
  EXPECT_TRUE(Eventually([&] { return !(*distrusts)->Link().lost.empty(); }));
  EXPECT_FALSE((*unknown)->Link().serving || (*distrusts)->Link().serving);
}

TEST(Link, OverTcpThereIsNoWayWithoutTls) {
  const auto client =
      RemoteClient::Connect({.socket = "", .host = "localhost:1", .tls = {}}, [] {});
  ASSERT_FALSE(client.ok());
  EXPECT_THAT(client.error().message, HasSubstr("--tls-cert is missing"));
  const auto worker = WorkerService::Listen({.socket = "", .host = "127.0.0.1:0", .tls = {}});
  EXPECT_FALSE(worker.ok());
}

TEST(Link, AFrontEndThatGoesAwayCancelsItsRequests) {
  const Folder folder;
  Worker worker(folder.path + "/a");
  auto client = Connect(folder.path + "/a");
  ASSERT_TRUE(Eventually([&] { return client->Link().serving; }));
  std::vector<std::unique_ptr<Listener>> listeners;
  for (int i = 0; i < 16; ++i) {
    listeners.push_back(std::make_unique<Listener>());
    client->Generate(Asking({i}, 120), listeners.back()->OnEvent());
  }
  client.reset();
  for (auto& listener : listeners) ASSERT_TRUE(listener->Wait());
  const auto other = Connect(folder.path + "/a");
  ASSERT_TRUE(Eventually([&] {
    const EngineState state = other->State();
    return state.ready && state.running + state.waiting == 0;
  }));
  EXPECT_EQ(other->State().free_blocks, worker.fake->engine->TotalBlocks());
}

}  // namespace
}  // namespace tenon::apps::link
