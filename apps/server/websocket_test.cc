// SPDX-License-Identifier: Apache-2.0
#include "apps/server/testing/client.h"
#include "apps/server/testing/fixture.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace tenon::apps::server {
namespace {

using testing::Eventually;
using testing::Frame;
using testing::Get;
using ::testing::HasSubstr;
using testing::kUpgrade;
using testing::RawClient;
using testing::ServerFixture;
using testing::StatusOf;

// A server's text frame of fewer than 126 bytes.
std::string Received(const std::string& text) {
  return std::string("\x81") + static_cast<char>(text.size()) + text;
}

RawClient Open(uint16_t port) {
  RawClient client(port);
  client.Send(Get("/v1/ws", kUpgrade));
  EXPECT_THAT(client.ReadUntil("\r\n\r\n"), HasSubstr("HTTP/1.1 101 "));
  return client;
}

TEST(WebSocket, TakesARequestAndSendsItsChunks) {
  ServerFixture server;
  server.api.on_start = [](const auto& call) {
    call->sink->Chunk("{\"n\":1}");
    call->sink->Chunk("{\"n\":2}");
    call->sink->End();
  };
  RawClient client = Open(server.port());
  client.Send(Frame(R"({"messages":[]})"));
  EXPECT_EQ(client.ReadUntil("\x88"), Received("{\"n\":1}") + Received("{\"n\":2}") +
                                          Received("[DONE]") + std::string("\x88\x02\x03\xe8", 4));
  EXPECT_EQ(server.NextCall()->body, R"({"stream":true,"messages":[]})");
  EXPECT_EQ(server.NextCall()->endpoint, openai::Endpoint::kChat);
}

TEST(WebSocket, LeavesAChoiceOfStreamsToTheRequest) {
  ServerFixture server;
  RawClient client = Open(server.port());
  client.Send(Frame(R"({"prompt":"","stream":false})"));
  EXPECT_THAT(client.ReadUntil("\x88"), HasSubstr(Received(R"({"prompt":"","stream":false})")));
  EXPECT_EQ(server.NextCall()->endpoint, openai::Endpoint::kCompletions);
}

TEST(WebSocket, SendsErrorsAsMessages) {
  ServerFixture server;
  server.api.on_start = [](const auto& call) { call->sink->Fail(MakeError(400, "bad n")); };
  RawClient client = Open(server.port());
  client.Send(Frame("{}"));
  EXPECT_THAT(client.ReadUntil("\x88"), HasSubstr("bad n"));
}

TEST(WebSocket, CancelsWhenTheClientLeavesOrAsksTwice) {
  ServerFixture server;
  server.api.on_start = [](const auto&) {};
  for (size_t i = 0; i < 3; ++i) {
    RawClient client = Open(server.port());
    client.Send(Frame("{}"));
    const auto call = server.NextCall(i);
    ASSERT_NE(call, nullptr);
    if (i == 0) client.Close();
    if (i == 1) client.Send(Frame("{}"));
    if (i == 2) client.Send(Frame("\x03\xe8", '\x88'));
    EXPECT_TRUE(Eventually([&] { return call->cancelled.load(); })) << i;
  }
}

TEST(WebSocket, CutsOffWhoSaysNothingOrTooMuch) {
  ServerFixture server([](ServerOptions& options) {
    options.limits.body = std::chrono::milliseconds(50);
    options.limits.body_bytes = 1000;
  });
  RawClient silent = Open(server.port());
  silent.ReadAll();
  EXPECT_TRUE(silent.closed());
  RawClient large = Open(server.port());
  large.Send(Frame(std::string(1001, ' ')));
  large.ReadAll();
  EXPECT_TRUE(large.closed());
  EXPECT_TRUE(server.api.Calls().empty());
}

TEST(WebSocket, EndsMalformedExchanges) {
  ServerFixture server;
  for (const std::string& frame :
       {std::string("\x81\x02{}"), Frame("{}", '\xf1'), Frame("{}", '\x83'), Frame("{}", '\x80'),
        Frame("\xff\xfe"), Frame(std::string(126, 'a'), '\x89'), std::string("GET / HTTP/1.1\r\n"),
        Frame("a", '\x88')}) {
    RawClient client = Open(server.port());
    client.Send(frame);
    client.CloseSending();
    client.ReadAll();
    EXPECT_TRUE(client.closed());
  }
  EXPECT_TRUE(server.api.Calls().empty());
  RawClient after(server.port());
  after.Send(Get("/health"));
  EXPECT_EQ(StatusOf(after.ReadResponse()), 200);
}

TEST(WebSocket, WantsTheHandshake) {
  ServerFixture server;
  for (const char* fields :
       {"", "Upgrade: websocket\r\n", "Connection: upgrade\r\nUpgrade: h2c\r\n",
        "Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 12\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"}) {
    RawClient client(server.port());
    client.Send(Get("/v1/ws", fields));
    EXPECT_EQ(StatusOf(client.ReadResponse()), 426) << fields;
  }
  RawClient early(server.port());
  early.Send(Get("/v1/ws", kUpgrade) + Frame("{}"));
  EXPECT_EQ(StatusOf(early.ReadAll()), 400);
}

}  // namespace
}  // namespace tenon::apps::server
