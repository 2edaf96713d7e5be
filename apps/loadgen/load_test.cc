// SPDX-License-Identifier: Apache-2.0
#include "apps/loadgen/load.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <memory>
#include <thread>

#include "apps/loadgen/http.h"

namespace tenon::apps {
namespace {

using Socket = net::ip::tcp::socket;

constexpr const char* kHead =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: ";
constexpr const char* kStream =
    "data: {\"choices\":[{\"text\":\"a\"}]}\n\ndata: {\"choices\":[{\"text\":\"b\"}]}\n\n";
constexpr const char* kDone = "data: [DONE]\n\n";

std::string Whole(const std::string& body) {
  return kHead + std::to_string(body.size()) + "\r\n\r\n" + body;
}

// Answers every request with the same bytes, on one thread.
class Answerer {
 public:
  Answerer(std::string answer, bool closes)
      : answer_(std::move(answer)), closes_(closes), acceptor_(io_, {net::ip::tcp::v4(), 0}) {
    Accept();
    thread_ = std::thread([this] { io_.run(); });
  }
  ~Answerer() {
    io_.stop();
    thread_.join();
  }

  LoadOptions Options(size_t count) const {
    LoadOptions options;
    options.target.url = {"127.0.0.1", std::to_string(acceptor_.local_endpoint().port()), ""};
    options.arrivals.assign(count, 0.0);
    return options;
  }

  std::atomic<int> connections = 0, requests = 0;

 private:
  void Accept() {
    acceptor_.async_accept([this](const boost::system::error_code& error, Socket socket) {
      if (error) return;
      ++connections;
      net::co_spawn(io_, Serve(std::move(socket)), net::detached);
      Accept();
    });
  }

  net::awaitable<void> Serve(Socket socket) {
    beast::flat_buffer buffer;
    for (;;) {
      http::request<http::string_body> request;
      auto [unread, read] = co_await http::async_read(socket, buffer, request, kAsTuple);
      if (unread) co_return;
      ++requests;
      co_await net::async_write(socket, net::buffer(answer_), kAsTuple);
      if (closes_) co_return;
    }
  }

  const std::string answer_;
  const bool closes_;
  net::io_context io_;
  net::ip::tcp::acceptor acceptor_;
  std::thread thread_;
};

std::vector<LoadRequest> Requests(size_t count) { return {count, {"{}", 3, 2}}; }

TEST(RunLoad, UsesConnectionsAgain) {
  Answerer server(Whole(std::string(kStream) + kDone), false);
  LoadOptions options = server.Options(50);
  options.max_concurrency = 4;
  const auto run = RunLoad(options, Requests(50), nullptr, {});
  ASSERT_TRUE(run.ok());
  for (const LoadResult& result : run->results) {
    EXPECT_EQ(result.outcome, LoadOutcome::kCompleted) << result.error << ": " << result.message;
    EXPECT_EQ(result.output_tokens, 2);
    EXPECT_EQ(result.gaps_s.size(), 1u);
    EXPECT_GE(result.latency_s, result.first_s);
  }
  EXPECT_EQ(server.requests, 50);
  EXPECT_LE(server.connections, 4);
}

TEST(RunLoad, OpensAnewWhereTheServerClosed) {
  Answerer server(Whole(std::string(kStream) + kDone), true);
  LoadOptions options = server.Options(20);
  options.max_concurrency = 2;
  const auto run = RunLoad(options, Requests(20), nullptr, {});
  ASSERT_TRUE(run.ok());
  for (const LoadResult& result : run->results) {
    EXPECT_EQ(result.outcome, LoadOutcome::kCompleted) << result.error << ": " << result.message;
  }
  EXPECT_EQ(server.requests, 20);
}

TEST(RunLoad, TellsWhereStreamsBreak) {
  const std::string head = std::string(kHead) + "100000\r\n\r\n";
  const std::array<std::pair<std::string, const char*>, 6> cases = {
      {{head + kStream, "cut off"},
       {Whole(kStream), "cut off"},
       {Whole(kDone), "no output"},
       {Whole("data: {\"error\":{\"message\":\"m\"}}\n\n"), "stream error"},
       {Whole("data: x\n\n"), "bad stream"},
       {"HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n", "HTTP 503"}}};
  for (const auto& [answer, kind] : cases) {
    Answerer server(answer, true);
    const auto run = RunLoad(server.Options(3), Requests(3), nullptr, {});
    ASSERT_TRUE(run.ok());
    for (const LoadResult& result : run->results) EXPECT_EQ(result.error, kind);
  }
}

TEST(RunLoad, DropsWhatIsUnderWayWhenStopped) {
  Answerer server(std::string(kHead) + "100000\r\n\r\n" + kStream, false);
  LoadOptions options = server.Options(10);
  options.max_concurrency = 3;
  bool stop = false;
  const auto run = RunLoad(options, Requests(10), &stop,
                           [&](const LoadProgress& progress) { stop = progress.chunks == 6; });
  ASSERT_TRUE(run.ok());
  EXPECT_TRUE(run->interrupted);
  for (size_t i = 0; i < 10; ++i) {
    EXPECT_EQ(run->results[i].outcome, i < 3 ? LoadOutcome::kDropped : LoadOutcome::kUnsent);
  }
  EXPECT_GT(run->results[0].latency_s, 0);
}

TEST(RunLoad, CountsTimeouts) {
  Answerer server(std::string(kHead) + "100000\r\n\r\n" + kStream, false);
  LoadOptions options = server.Options(1);
  options.timeout_s = 0.1;
  const auto run = RunLoad(options, Requests(1), nullptr, {});
  ASSERT_TRUE(run.ok());
  EXPECT_EQ(run->results[0].error, "timeout");
}

TEST(RunLoad, TellsWhereNobodyListens) {
  LoadOptions options;
  {
    Answerer gone("", true);
    options = gone.Options(2);
  }
  const auto run = RunLoad(options, Requests(2), nullptr, {});
  ASSERT_TRUE(run.ok());
  EXPECT_EQ(run->results[1].error, "connect");
}

}  // namespace
}  // namespace tenon::apps
