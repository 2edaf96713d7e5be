// SPDX-License-Identifier: Apache-2.0
#include <fstream>
#include <random>

#include "apps/server/testing/client.h"
#include "apps/server/testing/fixture.h"
#include "fmt/format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace tenon::apps::server {
namespace {

using testing::Count;
using testing::Eventually;
using testing::Get;
using testing::Post;
using testing::RawClient;
using testing::ServerFixture;
using testing::StatusOf;

// Malformed exchanges, made from patterns with random parts. Each carries a second request behind
// the first, that must never be answered.
class Malformed {
 public:
  explicit Malformed(unsigned seed) : random_(seed) {}

  std::string Next() {
    const std::string smuggled = Get("/health", "X-Request-Id: smuggled\r\n");
    switch (Below(9)) {
      case 0:
        return Head("POST", Pick(kLengths)) + "{}" + smuggled;
      case 1:
        return Head("POST", Pick(kEncodings)) + "0\r\n\r\n" + smuggled;
      case 2:
        return Head("POST", "Transfer-Encoding: chunked\r\n") + Pick(kChunks) + smuggled;
      case 3:
        return Head("GET", Pick(kFields)) + smuggled;
      case 4:
        return Pick(kLines) + "\r\nHost: a\r\n\r\n" + smuggled;
      case 5:
        return "GET /health HTTP/1.1\r\n" + Pick(kHosts) + "\r\n" + smuggled;
      case 6:
        return Head("GET", "X: " + std::string(8200, 'a') + "\r\n") + smuggled;
      case 7:
        return WithByte(Head("GET", "X: aaaa\r\n")) + smuggled;
      default:
        return Bytes() + "\n" + smuggled;
    }
  }

 private:
  using Texts = std::vector<std::string>;

  size_t Below(size_t end) { return random_() % end; }
  const std::string& Pick(const Texts& texts) { return texts[Below(texts.size())]; }

  // Harmless headers around the bad one, in random number.
  std::string Head(const std::string& method, const std::string& bad) {
    std::string fields;
    for (size_t i = Below(4); i > 0; --i) fields += fmt::format("A{}: {}\r\n", i, Below(1000));
    fields += bad;
    for (size_t i = Below(4); i > 0; --i) fields += fmt::format("B{}: {}\r\n", i, Below(1000));
    return fmt::format("{} /tokenize HTTP/1.1\r\nHost: a\r\n{}\r\n", method, fields);
  }

  // A byte that no head may hold, somewhere in its fields.
  std::string WithByte(std::string head) {
    static constexpr std::string_view kBytes("\0\x01\x08\x0b\x0c\x0e\x1f\x7f", 8);
    const size_t at = head.find("X: ") + 3;
    head.insert(at + Below(4), 1, kBytes[Below(kBytes.size())]);
    return head;
  }

  // No request at all; the first byte is none of a method.
  std::string Bytes() {
    std::string out("\x16");
    for (size_t i = Below(200); i > 0; --i) out.push_back(static_cast<char>(Below(256)));
    return out;
  }

  std::mt19937 random_;
  const Texts kLengths = {"Content-Length: 2\r\nContent-Length: 2\r\n",
                          "Content-Length: 2\r\nContent-Length: 40\r\n",
                          "Content-Length: 2, 2\r\n",
                          "Content-Length: +2\r\n",
                          "Content-Length: -2\r\n",
                          "Content-Length: 2 \t2\r\n",
                          "Content-Length: 0x2\r\n",
                          "Content-Length: 2.0\r\n",
                          "Content-Length: 18446744073709551618\r\n",
                          "Content-Length: 9999999999\r\n",
                          "Content-Length: \r\n",
                          "Content-Length : 2\r\n",
                          "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n"};
  const Texts kEncodings = {"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
                            "Transfer-Encoding: xchunked\r\n",
                            "Transfer-Encoding: chunked, chunked\r\n",
                            "Transfer-Encoding: gzip\r\n",
                            "Transfer-Encoding: identity\r\n",
                            "Transfer-Encoding: chunked;a=b\r\n",
                            "Transfer-Encoding: \x0b"
                            "chunked\r\n",
                            "Transfer-Encoding:\r\n chunked\r\n",
                            "Transfer-Encoding : chunked\r\n",
                            " Transfer-Encoding: chunked\r\n",
                            "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
                            "Transfer-Encoding: CHUNKED\r\n",
                            "X: a\nTransfer-Encoding: chunked\r\n"};
  const Texts kChunks = {"g\r\n{}\r\n0\r\n\r\n",
                         "-2\r\n{}\r\n0\r\n\r\n",
                         "+2\r\n{}\r\n0\r\n\r\n",
                         "0x2\r\n{}\r\n0\r\n\r\n",
                         "2\n{}\r\n0\r\n\r\n",
                         "2\r\n{}xx0\r\n\r\n",
                         "\r\n2\r\n{}\r\n0\r\n\r\n",
                         "2;\x01=\r\n{}\r\n0\r\n\r\n",
                         "fffffffffffffffff\r\n{}\r\n0\r\n\r\n",
                         "ffffffffffffffff\r\n{}\r\n0\r\n\r\n",
                         "3\r\n{}\r\n0\r\n\r\n",
                         "2 2\r\n{}\r\n0\r\n\r\n"};
  const Texts kFields = {"No colon\r\n", ": a\r\n",
                         "A b: c\r\n",   "A\t: c\r\n",
                         "Host: b\r\n",  "A: b\r\n folded\r\n",
                         "A: b\rc\r\n",  "A: b\nC: d\r\n",
                         "(A): b\r\n",   "Expect: everything\r\n",
                         "A: \x01\r\n",  "\xc3\xa9: a\r\n"};
  const Texts kLines = {"GET http://a/health HTTP/1.1",
                        "GET health HTTP/1.1",
                        "GET /health HTTP/1.9",
                        "GET /health HTTP/11",
                        "GET /health",
                        "GET  /health HTTP/1.1",
                        "GET /health  HTTP/1.1",
                        "GET /he alth HTTP/1.1",
                        " GET /health HTTP/1.1",
                        "CONNECT a:1 HTTP/1.1",
                        "OPTIONS * HTTP/1.1",
                        "G\"T /health HTTP/1.1",
                        "PRI * HTTP/2.0",
                        "GET /\x80 HTTP/1.1",
                        "",
                        "GET /health HTTP/1.1 a"};
  const Texts kHosts = {"",
                        "Host:\r\n",
                        "Host: a\r\nHost: a\r\n",
                        "Host: a b\r\n",
                        "Host: a/b\r\n",
                        "Host: a,b\r\n",
                        "Host: a@b\r\n",
                        "Host: a\r\nhost: b\r\n"};
};

int64_t OpenFiles() {
  int64_t count = 0;
  for (int i = 0; i < 4096; ++i) {
    if (std::ifstream(fmt::format("/proc/self/fdinfo/{}", i)).good()) ++count;
  }
  return count;
}

int64_t ResidentKib() {
  std::ifstream status("/proc/self/status");
  std::string word;
  int64_t value = 0;
  while (status >> word) {
    if (word == "VmRSS:" && status >> value) return value;
  }
  return 0;
}

TEST(Hostile, MalformedExchangesGetOneErrorAndTheDoor) {
  ServerFixture server;
  const int64_t files = OpenFiles();
  for (unsigned seed = 0; seed < 600; ++seed) {
    const std::string bytes = Malformed(seed).Next();
    RawClient client(server.port());
    // Some arrive in two parts.
    const size_t part = seed % 3 == 0 ? bytes.size() / 2 : bytes.size();
    client.Send(bytes.substr(0, part));
    client.Send(bytes.substr(part));
    client.CloseSending();
    const std::string answer = client.ReadAll();
    EXPECT_TRUE(client.closed()) << bytes;
    EXPECT_EQ(Count(answer, "HTTP/1.1 "), 1U) << bytes << "\n" << answer;
    EXPECT_EQ(StatusOf(answer) / 100, 4) << bytes << "\n" << answer;
    EXPECT_EQ(Count(answer, "smuggled"), 0U) << bytes;
  }
  EXPECT_TRUE(server.api.Calls().empty());
  EXPECT_TRUE(Eventually([&] { return OpenFiles() <= files; }));
}

TEST(Hostile, RequestsThatEndTooEarlyGetOneError) {
  ServerFixture server;
  const std::string request = Post("/tokenize", "{\"a\":1}");
  for (size_t length = 1; length < request.size(); ++length) {
    RawClient client(server.port());
    client.Send(request.substr(0, length));
    client.CloseSending();
    EXPECT_EQ(StatusOf(client.ReadAll()), 400) << length;
  }
  EXPECT_TRUE(server.api.Calls().empty());
}

TEST(Hostile, SlowClientsDoNotKeepOthersOut) {
  constexpr size_t kPlaces = 100;
  ServerFixture server([](ServerOptions& options) { options.connections = kPlaces; });
  const std::string large(300000, 'x');
  server.api.on_start = [&](const auto& call) {
    call->sink->Whole(call->body == "large" ? large : "{}");
  };
  std::vector<RawClient> slow;
  for (size_t i = 0; i < 3 * kPlaces; ++i) {
    slow.emplace_back(server.port(), 4096);
    if (i % 3 == 0) slow.back().Send("GET /health HTTP/1.1\r\nHo");
    if (i % 3 == 1) slow.back().Send(Post("/tokenize", "{}").substr(0, 70));
    if (i % 3 == 2) slow.back().Send(Get("/health"));
    if (i % 10 != 9) continue;
    RawClient good(server.port());
    good.Send(Post("/v1/completions", "{}"));
    EXPECT_EQ(StatusOf(good.ReadResponse()), 200) << i;
  }
}

TEST(Hostile, BodiesTogetherAreBounded) {
  ServerFixture server([](ServerOptions& options) { options.all_body_bytes = 100000; });
  const std::string body(90000, ' ');
  const auto refused = [&] {
    RawClient second(server.port());
    second.Send(Post("/tokenize", body));
    return StatusOf(second.ReadAll(std::chrono::milliseconds(500))) == 503;
  };
  // Which of the two the server reads first, nobody knows.
  EXPECT_TRUE(Eventually([&] {
    RawClient first(server.port());
    first.Send(Post("/tokenize", body + " ").substr(0, body.size()));
    return refused();
  }));
  EXPECT_TRUE(Eventually([&] { return !refused(); }));
}

TEST(Hostile, WhoWasServedStaysLongerThanWhoNeverAsked) {
  ServerFixture server([](ServerOptions& options) { options.connections = 4; });
  RawClient known(server.port());
  known.Send(Get("/health"));
  EXPECT_EQ(StatusOf(known.ReadResponse()), 200);
  std::vector<RawClient> strangers;
  for (int i = 0; i < 20; ++i) strangers.emplace_back(server.port());
  EXPECT_EQ(strangers[0].ReadAll(), "");
  EXPECT_TRUE(strangers[0].closed());
  known.Send(Get("/health"));
  EXPECT_EQ(StatusOf(known.ReadResponse()), 200);
}

TEST(Hostile, RefusesConnectionsOnlyWhenAllAreServed) {
  ServerFixture server([](ServerOptions& options) { options.connections = 2; });
  server.api.on_start = [](const auto&) {};
  RawClient first(server.port());
  first.Send(Post("/tokenize", "{}"));
  RawClient second(server.port());
  second.Send(Post("/tokenize", "{}"));
  ASSERT_NE(server.NextCall(1), nullptr);
  RawClient third(server.port());
  EXPECT_EQ(StatusOf(third.ReadAll()), 503);
  server.NextCall(0)->sink->Whole("{}");
  first.ReadResponse();
  // The first is done a moment after its answer was read.
  EXPECT_TRUE(Eventually([&] {
    RawClient fourth(server.port());
    fourth.Send(Get("/health"));
    return StatusOf(fourth.ReadResponse()) == 200;
  }));
}

TEST(Hostile, DeadlinesEndWhatDoesNotArrive) {
  ServerFixture server([](ServerOptions& options) {
    options.limits.head = std::chrono::milliseconds(50);
    options.limits.body = std::chrono::milliseconds(50);
    options.limits.idle = std::chrono::milliseconds(50);
  });
  RawClient head(server.port());
  head.Send("GET / HT");
  EXPECT_EQ(StatusOf(head.ReadAll()), 408);
  RawClient body(server.port());
  body.Send(Post("/tokenize", "{}", "").substr(0, 60));
  EXPECT_EQ(StatusOf(body.ReadAll()), 408);
  RawClient idle(server.port());
  idle.Send(Get("/health"));
  EXPECT_EQ(StatusOf(idle.ReadAll()), 200);
  RawClient silent(server.port());
  EXPECT_EQ(silent.ReadAll(), "");
  EXPECT_TRUE(silent.closed());
}

TEST(Hostile, AnAnswerThatNobodyReadsIsCut) {
  ServerFixture server(
      [](ServerOptions& options) { options.limits.stall = std::chrono::milliseconds(100); });
  server.api.on_start = [](const auto& call) {
    call->sink->Whole(std::string(size_t{32} << 20, 'x'));
  };
  RawClient client(server.port(), 4096);
  client.Send(Post("/tokenize", "{}"));
  EXPECT_TRUE(Eventually([&] { return Count(server.LogText(), "cut=1") == 1; }));
}

TEST(Hostile, IdleConnectionsCostLittle) {
  ServerFixture server;
  std::vector<RawClient> idle;
  const int64_t before = ResidentKib();
  for (int i = 0; i < 1000; ++i) {
    idle.emplace_back(server.port());
    idle.back().Send(Get("/health"));
    ASSERT_EQ(StatusOf(idle.back().ReadResponse()), 200) << i;
  }
  EXPECT_LT(ResidentKib() - before, 50 * 1024);
}

}  // namespace
}  // namespace tenon::apps::server
