// SPDX-License-Identifier: Apache-2.0
#include "apps/server/jobs.h"

#include "apps/server/testing/client.h"
#include "apps/server/testing/fixture.h"
#include "fmt/format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace tenon::apps::server {
namespace {

using nlohmann::json;
using testing::Eventually;
using testing::Get;
using testing::Post;
using testing::RawClient;
using testing::ServerFixture;
using testing::StatusOf;

json BodyOf(const std::string& response) {
  return json::parse(response.substr(response.find("\r\n\r\n") + 4), nullptr, false);
}

struct Answer {
  int status;
  json body;
};

Answer Ask(uint16_t port, const std::string& request) {
  RawClient client(port);
  client.Send(request);
  const std::string response = client.ReadResponse();
  return {StatusOf(response), BodyOf(response)};
}

std::string Submit(uint16_t port, const std::string& fields = "") {
  const Answer submitted = Ask(port, Post("/v1/jobs", R"({"messages":[]})", fields));
  EXPECT_EQ(submitted.status, 202);
  EXPECT_EQ(submitted.body["status"], "running");
  return "/v1/jobs/" + submitted.body["id"].get<std::string>();
}

std::string Delete(const std::string& path) {
  return fmt::format("DELETE {} HTTP/1.1\r\nHost: localhost\r\n\r\n", path);
}

TEST(Jobs, KeepsAnAnswerUntilItIsFetched) {
  ServerFixture server;
  server.api.on_start = [](const auto&) {};
  const std::string job = Submit(server.port());
  EXPECT_EQ(server.NextCall()->endpoint, openai::Endpoint::kChat);
  EXPECT_EQ(Ask(server.port(), Get(job)).body["status"], "running");
  server.NextCall()->sink->Whole(R"({"a":1})");
  const Answer done = Ask(server.port(), Get(job));
  EXPECT_EQ(done.body["status"], "completed");
  EXPECT_EQ(done.body["response"]["a"], 1);
  EXPECT_EQ(done.body["status_code"], 200);
}

TEST(Jobs, AnswersALongPollWhenThereIsNews) {
  ServerFixture server;
  server.api.on_start = [](const auto&) {};
  const std::string job = Submit(server.port());
  RawClient poll(server.port());
  poll.Send(Get(job + "?wait=30"));
  EXPECT_EQ(poll.ReadUntil("}", std::chrono::milliseconds(50)), "");
  server.NextCall()->sink->Chunk(R"({"n":1})");
  const json first = BodyOf(poll.ReadResponse());
  EXPECT_EQ(first["chunks"].dump(), R"([{"n":1}])");
  EXPECT_EQ(first["status"], "running");
  poll.Send(Get(job + "?wait=30&after=1"));
  server.NextCall()->sink->End();
  const json last = BodyOf(poll.ReadResponse());
  EXPECT_EQ(last["status"], "completed");
  EXPECT_EQ(last["chunks"].size(), 0U);
}

TEST(Jobs, EndsALongPollInTime) {
  ServerFixture server;
  server.api.on_start = [](const auto&) {};
  const std::string job = Submit(server.port());
  EXPECT_EQ(Ask(server.port(), Get(job + "?wait=1")).body["status"], "running");
  EXPECT_EQ(Ask(server.port(), Get(job + "?wait=-1")).status, 400);
  EXPECT_EQ(Ask(server.port(), Get(job + "?wait=soon")).status, 400);
}

TEST(Jobs, CancelsAndForgets) {
  ServerFixture server;
  server.api.on_start = [](const auto&) {};
  const std::string job = Submit(server.port());
  EXPECT_EQ(Ask(server.port(), Delete(job)).body["status"], "cancelled");
  EXPECT_TRUE(server.NextCall()->cancelled);
  EXPECT_EQ(Ask(server.port(), Get(job)).body["status"], "cancelled");
  EXPECT_EQ(Ask(server.port(), Delete(job)).status, 200);
  EXPECT_EQ(Ask(server.port(), Get(job)).status, 404);
}

TEST(Jobs, TellsWhyOneFailed) {
  ServerFixture server;
  server.api.on_start = [](const auto& call) { call->sink->Fail(MakeError(400, "bad n")); };
  const Answer failed = Ask(server.port(), Get(Submit(server.port())));
  EXPECT_EQ(failed.body["status"], "failed");
  EXPECT_EQ(failed.body["status_code"], 400);
  EXPECT_EQ(failed.body["response"]["error"]["message"], "bad n");
  EXPECT_EQ(Ask(server.port(), Post("/v1/jobs", "[]")).status, 400);
}

TEST(Jobs, ShowsThemToTheirOwnersOnly) {
  ServerFixture server({}, "one\ntwo\n");
  server.api.on_start = [](const auto&) {};
  const std::string mine = "Authorization: Bearer one\r\n";
  const std::string job = Submit(server.port(), mine);
  EXPECT_EQ(Ask(server.port(), Get(job, mine)).status, 200);
  EXPECT_EQ(Ask(server.port(), Get(job, "Authorization: Bearer two\r\n")).status, 404);
}

TEST(Jobs, KeepsABoundedNumberForABoundedTime) {
  ServerFixture server([](ServerOptions& options) {
    options.jobs.jobs = 2;
    options.jobs.age = std::chrono::seconds(0);
  });
  server.api.on_start = [](const auto&) {};
  const std::string first = Submit(server.port());
  Submit(server.port());
  EXPECT_EQ(Ask(server.port(), Post("/v1/jobs", R"({"prompt":""})")).status, 429);
  server.NextCall()->sink->Whole("{}");
  EXPECT_TRUE(Eventually([&] { return Ask(server.port(), Get(first)).status == 404; }));
  Submit(server.port());
}

TEST(Jobs, EndsOneWhoseAnswerIsTooLarge) {
  ServerFixture server([](ServerOptions& options) { options.jobs.job_bytes = 100; });
  server.api.on_start = [](const auto&) {};
  const std::string job = Submit(server.port());
  server.NextCall()->sink->Chunk("\"" + std::string(200, 'a') + "\"");
  EXPECT_EQ(Ask(server.port(), Get(job)).body["status"], "failed");
  EXPECT_TRUE(server.NextCall()->cancelled);
}

TEST(Jobs, KeepsADrainWaitingUntilFetched) {
  ServerFixture server;
  server.api.on_start = [](const auto&) {};
  const std::string job = Submit(server.port());
  server.server->Drain();
  EXPECT_EQ(Ask(server.port(), Post("/v1/jobs", R"({"prompt":""})")).status, 503);
  EXPECT_FALSE(server.server->Drained());
  server.NextCall()->sink->Whole("{}");
  EXPECT_EQ(Ask(server.port(), Get(job)).body["status"], "completed");
  EXPECT_TRUE(Eventually([&] { return server.server->Drained(); }));
}

}  // namespace
}  // namespace tenon::apps::server
