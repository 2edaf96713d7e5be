// SPDX-License-Identifier: Apache-2.0
#include "apps/server/server.h"

#include <future>
#include <vector>

#include "apps/server/testing/client.h"
#include "apps/server/testing/fixture.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace tenon::apps::server {
namespace {

using testing::Count;
using ::testing::EndsWith;
using testing::Eventually;
using testing::FakeCall;
using testing::Get;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::Post;
using testing::RawClient;
using testing::ServerFixture;
using testing::StatusOf;

TEST(Server, SaysWhetherItLivesAndIsReady) {
  ServerFixture server;
  RawClient client(server.port());
  client.Send(Get("/health"));
  EXPECT_EQ(StatusOf(client.ReadResponse()), 200);
  server.fleet.why_not = "loading";
  client.Send(Get("/ready"));
  const std::string not_yet = client.ReadResponse();
  EXPECT_EQ(StatusOf(not_yet), 503);
  EXPECT_THAT(not_yet, HasSubstr("loading"));
  server.fleet.why_not = "";
  client.Send(Get("/ready"));
  EXPECT_EQ(StatusOf(client.ReadResponse()), 200);
}

TEST(Server, HandsABodyToTheApiAndItsAnswerBack) {
  ServerFixture server;
  RawClient client(server.port());
  client.Send(Post("/v1/chat/completions", R"({"model":"m"})", "X-Request-Id: mine-1\r\n"));
  const std::string response = client.ReadResponse();
  EXPECT_EQ(StatusOf(response), 200);
  EXPECT_THAT(response, EndsWith(R"({"model":"m"})"));
  EXPECT_THAT(response, HasSubstr("X-Request-Id: mine-1\r\n"));
  EXPECT_EQ(server.NextCall()->endpoint, openai::Endpoint::kChat);
  EXPECT_EQ(server.NextCall()->caller.request_id, "mine-1");
}

TEST(Server, ReadsChunkedBodies) {
  ServerFixture server;
  RawClient client(server.port());
  client.Send(
      "POST /v1/completions HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3\r\n{\"a\r\n4;x=y\r\n\":1}\r\n0\r\nAuthorization: no\r\n\r\n");
  EXPECT_THAT(client.ReadResponse(), EndsWith("{\"a\":1}"));
}

TEST(Server, StreamsEvents) {
  ServerFixture server;
  server.api.on_start = [](const auto&) {};
  RawClient client(server.port());
  client.Send(Post("/v1/chat/completions", R"({"stream":true})"));
  const auto call = server.NextCall();
  call->sink->Chunk(R"({"a":1})");
  const std::string first = client.ReadUntil("{\"a\":1}");
  EXPECT_THAT(first, HasSubstr("Content-Type: text/event-stream"));
  EXPECT_THAT(first, HasSubstr("data: {\"a\":1}\n\n"));
  call->sink->Chunk(R"({"a":2})");
  call->sink->End();
  const std::string rest = client.ReadUntil("0\r\n\r\n");
  EXPECT_THAT(rest, HasSubstr("data: {\"a\":2}\n\n"));
  EXPECT_THAT(rest, HasSubstr("data: [DONE]\n\n"));
  // The connection goes on.
  client.Send(Get("/health"));
  EXPECT_EQ(StatusOf(client.ReadResponse()), 200);
}

TEST(Server, EndsAFailedStreamWithAnErrorAndNotAsDone) {
  ServerFixture server;
  server.api.on_start = [](const auto& call) {
    call->sink->Chunk("{}");
    openai::ApiError error;
    error.status = 500;
    error.message = "the engine was lost";
    call->sink->Fail(error);
  };
  RawClient client(server.port());
  client.Send(Post("/v1/chat/completions", "{}"));
  const std::string stream = client.ReadUntil("0\r\n\r\n");
  EXPECT_THAT(stream, HasSubstr("data: {\"error\""));
  EXPECT_THAT(stream, Not(HasSubstr("[DONE]")));
}

TEST(Server, CancelsWhenTheClientLeaves) {
  ServerFixture server;
  server.api.on_start = [](const auto&) {};
  for (const bool streaming : {false, true}) {
    RawClient client(server.port());
    client.Send(Post("/v1/chat/completions", "{}"));
    const auto call = server.NextCall(streaming ? 1 : 0);
    if (streaming) {
      call->sink->Chunk("{}");
      client.ReadUntil("data: {}");
    }
    client.Close();
    EXPECT_TRUE(Eventually([&] { return call->cancelled.load(); }));
  }
}

TEST(Server, CutsOffAStreamThatNobodyReads) {
  ServerFixture server;
  server.api.on_start = [](const auto&) {};
  RawClient client(server.port(), 4096);
  client.Send(Post("/v1/chat/completions", "{}"));
  const auto call = server.NextCall();
  const std::string chunk(65536, 'x');
  // What the system's own buffers take comes on top of the server's mebibyte.
  EXPECT_TRUE(Eventually([&] {
    call->sink->Chunk(chunk);
    return call->cancelled.load();
  }));
}

TEST(Server, KeepsASilentStreamAlive) {
  ServerFixture server(
      [](ServerOptions& options) { options.limits.comment = std::chrono::milliseconds(20); });
  server.api.on_start = [](const auto&) {};
  RawClient client(server.port());
  client.Send(Post("/v1/chat/completions", R"({"stream":true})"));
  EXPECT_THAT(client.ReadUntil(": keep-alive\n\n"), HasSubstr("200 OK"));
  // What would have been a response of its own is an event now.
  server.NextCall()->sink->Fail(MakeError(429, "full"));
  EXPECT_THAT(client.ReadUntil("0\r\n\r\n"), HasSubstr("data: {\"error\""));
}

TEST(Server, EndsAStreamOfHttp10WithTheConnection) {
  ServerFixture server;
  server.api.on_start = [](const auto& call) {
    call->sink->Chunk("{}");
    call->sink->End();
  };
  RawClient client(server.port());
  client.Send(
      "POST /v1/completions HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n"
      "Content-Length: 2\r\n\r\n{}");
  const std::string stream = client.ReadAll();
  EXPECT_TRUE(client.closed());
  EXPECT_THAT(stream, EndsWith("\r\n\r\ndata: {}\n\ndata: [DONE]\n\n"));
  EXPECT_THAT(stream, HasSubstr("Connection: close\r\n"));
}

TEST(Server, AnswersPipelinedRequestsInOrder) {
  ServerFixture server;
  RawClient client(server.port());
  client.Send(Post("/tokenize", "{\"n\":1}") + Get("/health") + Post("/tokenize", "{\"n\":2}"));
  EXPECT_THAT(client.ReadUntil("{\"n\":2}"), ::testing::ContainsRegex("n\":1(.|\n)*status\":\"ok"));
}

TEST(Server, AsksForABodyThatWaitsForIt) {
  ServerFixture server;
  RawClient client(server.port());
  client.Send(
      "POST /tokenize HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.ReadUntil("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client.Send("{}");
  EXPECT_THAT(client.ReadResponse(), EndsWith("{}"));
}

TEST(Server, RefusesInTheShapesOfOpenAi) {
  ServerFixture server([](ServerOptions& options) { options.limits.body_bytes = 100; });
  RawClient client(server.port());
  client.Send(Get("/nowhere"));
  const std::string missing = client.ReadResponse();
  EXPECT_EQ(StatusOf(missing), 404);
  EXPECT_THAT(missing, HasSubstr(R"("type":"invalid_request_error")"));
  client.Send(Get("/v1/completions"));
  const std::string wrong = client.ReadResponse();
  EXPECT_EQ(StatusOf(wrong), 405);
  EXPECT_THAT(wrong, HasSubstr("Allow: POST\r\n"));
  client.Send(Post("/tokenize", std::string(101, ' ')));
  EXPECT_EQ(StatusOf(client.ReadAll()), 413);
  EXPECT_TRUE(client.closed());
  RawClient chunks(server.port());
  chunks.Send("POST /tokenize HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n65\r\n" +
              std::string(101, ' '));
  EXPECT_EQ(StatusOf(chunks.ReadAll()), 413);
}

TEST(Server, TurnsAnExceptionIntoOneError) {
  ServerFixture server;
  server.api.on_start = [](const auto&) { throw std::runtime_error("canary"); };
  RawClient client(server.port());
  client.Send(Post("/tokenize", "{}"));
  const std::string response = client.ReadResponse();
  EXPECT_EQ(StatusOf(response), 500);
  EXPECT_THAT(response, Not(HasSubstr("canary")));
  client.Send(Get("/health"));
  EXPECT_EQ(StatusOf(client.ReadResponse()), 200);
}

TEST(Server, AnswersHeadWithoutABody) {
  ServerFixture server;
  RawClient client(server.port());
  client.Send("HEAD /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(client.ReadAll(), EndsWith("\r\n\r\n"));
}

// Embeddings that take for ever, in each way that they may come.
TEST(Server, BulkLeavesAThreadToThoseWhoChat) {
  ServerFixture server;
  std::promise<void> go;
  const std::shared_future<void> gone = go.get_future().share();
  server.api.on_start = [gone](const std::shared_ptr<FakeCall>& call) {
    if (call->endpoint != openai::Endpoint::kChat) gone.wait();
    call->sink->Whole(call->body);
  };
  std::vector<RawClient> bulk;
  for (const char* path : {"/v1/embeddings", "/v1/jobs", "/tokenize", "/detokenize", "/v1/jobs"}) {
    bulk.emplace_back(server.port());
    bulk.back().Send(Post(path, R"({"input":"x"})"));
  }
  ASSERT_NE(server.NextCall(), nullptr);
  for (int i = 0; i < 20; ++i) {
    RawClient chat(server.port());
    chat.Send(Post("/v1/chat/completions", "{}"));
    EXPECT_EQ(StatusOf(chat.ReadResponse()), 200);
  }
  EXPECT_EQ(server.api.Calls().size(), 21U);
  go.set_value();
  for (RawClient& client : bulk) EXPECT_LT(StatusOf(client.ReadResponse()), 300);
}

TEST(Server, DrainsByFinishingWhatItAccepted) {
  ServerFixture server;
  server.api.on_start = [](const auto&) {};
  RawClient client(server.port());
  client.Send(Post("/v1/completions", "{}"));
  const auto call = server.NextCall();
  server.server->Drain();
  RawClient late(server.port());
  late.Send(Post("/v1/completions", "{}"));
  const std::string refused = late.ReadResponse();
  EXPECT_EQ(StatusOf(refused), 503);
  EXPECT_THAT(refused, HasSubstr("Retry-After: "));
  EXPECT_FALSE(server.server->Drained());
  call->sink->Whole("{\"ok\":1}");
  EXPECT_THAT(client.ReadResponse(), EndsWith("{\"ok\":1}"));
  EXPECT_TRUE(Eventually([&] { return server.server->Drained(); }));
}

TEST(Server, LetsNobodyElseInWithoutAKey) {
  testing::FakeApi api;
  testing::FakeFleet fleet;
  ApiKeys none;
  Log log("/dev/null");
  Metrics metrics("tenon");
  ServerOptions options;
  options.host = "0.0.0.0";
  options.port = 0;
  const auto refused = Server::Start(options, {&api, &fleet, &none, &log, &metrics});
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(refused.error().message, HasSubstr("--insecure"));
  options.insecure = true;
  EXPECT_TRUE(Server::Start(options, {&api, &fleet, &none, &log, &metrics}).ok());
}

}  // namespace
}  // namespace tenon::apps::server
