// SPDX-License-Identifier: Apache-2.0
#include "apps/loadgen/fetch.h"

#include <chrono>

#include "apps/loadgen/http.h"

namespace tenon::apps {
namespace {

constexpr uint64_t kMostBytes = uint64_t{64} << 20;

net::awaitable<Result<Answer>> Ask(const LoadTarget& target, const std::string& path,
                                   const std::string& body, double seconds) {
  const auto io = co_await net::this_coro::executor;
  auto address = co_await Resolve(target.url);
  if (!address.ok()) co_return address.error();
  beast::tcp_stream stream(io);
  stream.expires_after(Duration(seconds));
  const auto failed = [&](const boost::system::error_code& error) {
    return Error{Status::kIo, target.url.host + ":" + target.url.port + ": " + error.message()};
  };
  auto [unconnected, endpoint] = co_await stream.async_connect(*address, kAsTuple);
  if (unconnected) co_return failed(unconnected);
  const auto request = RequestOf(target, path, body);
  auto [unwritten, written] = co_await http::async_write(stream, request, kAsTuple);
  if (unwritten) co_return failed(unwritten);
  beast::flat_buffer buffer;
  http::response_parser<http::string_body> parser;
  parser.body_limit(kMostBytes);
  auto [unread, read] = co_await http::async_read(stream, buffer, parser, kAsTuple);
  if (unread) co_return failed(unread);
  co_return Answer{static_cast<int>(parser.get().result_int()), std::move(parser.get().body())};
}

}  // namespace

Result<Answer> Fetch(const LoadTarget& target, const std::string& path, const std::string& body,
                     double seconds) {
  net::io_context io(1);
  Result<Answer> answer = Error{Status::kIo, target.url.host + ": the request could not be made"};
  net::co_spawn(
      io, [&]() -> net::awaitable<void> { answer = co_await Ask(target, path, body, seconds); },
      net::detached);
  io.run();
  return answer;
}

}  // namespace tenon::apps
