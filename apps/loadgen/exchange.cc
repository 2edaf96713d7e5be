// SPDX-License-Identifier: Apache-2.0
#include "apps/loadgen/exchange.h"

#include <optional>

#include "apps/loadgen/chunk.h"
#include "apps/loadgen/sse.h"

namespace tenon::apps {
namespace {

using Failure = boost::system::error_code;
using Parser = http::response_parser<http::string_body>;

void Fail(LoadResult& result, std::string kind, std::string message) {
  result.outcome = LoadOutcome::kFailed;
  result.error = std::move(kind);
  result.message = std::move(message);
}

void FailIo(LoadResult& result, const char* kind, const Failure& failure) {
  Fail(result, failure == beast::error::timeout ? "timeout" : kind, failure.message());
}

// Takes in what a stream says.
class StreamRecord {
 public:
  StreamRecord(ExchangePlace& place, LoadResult& result) : place_(place), result_(result) {}

  bool Done() const { return done_; }

  void Take(std::string_view bytes) {
    const double now = place_.now() - result_.start_s;
    const auto fed = reader_.Feed(bytes, [&](std::string_view data) { OnData(data, now); });
    if (!fed.ok()) Fail(result_, "bad stream", fed.error().message);
  }

 private:
  void OnData(std::string_view data, double now) {
    if (result_.outcome == LoadOutcome::kFailed) return;
    if (data == "[DONE]") {
      done_ = true;
      return;
    }
    const StreamChunk chunk = ReadChunk(data);
    if (!chunk.readable) return Fail(result_, "bad stream", "a chunk is not a JSON object");
    if (!chunk.error.empty()) return Fail(result_, "stream error", chunk.error);
    if (chunk.token) OnToken(now);
    if (chunk.token || chunk.finished) result_.latency_s = now;
    if (chunk.input_tokens >= 0) result_.input_tokens = chunk.input_tokens;
    if (chunk.cached_tokens >= 0) result_.cached_tokens = chunk.cached_tokens;
    if (chunk.output_tokens >= 0) {
      told_ = true;
      result_.output_tokens = chunk.output_tokens;
    }
  }

  void OnToken(double now) {
    if (!any_) {
      result_.first_s = now;
    } else {
      result_.gaps_s.push_back(static_cast<float>(now - last_));
    }
    any_ = true;
    last_ = now;
    if (!told_) ++result_.output_tokens;
    place_.on_chunk();
  }

  ExchangePlace& place_;
  LoadResult& result_;
  SseReader reader_;
  double last_ = 0;
  bool any_ = false, told_ = false, done_ = false;
};

net::awaitable<void> ReadStream(ExchangePlace& place, beast::tcp_stream& stream,
                                beast::flat_buffer& buffer, Parser& parser, LoadResult& result) {
  StreamRecord record(place, result);
  const auto take = [&] {
    record.Take(parser.get().body());
    parser.get().body().clear();
  };
  take();
  while (!parser.is_done() && result.outcome != LoadOutcome::kFailed) {
    auto [failure, count] = co_await http::async_read_some(stream, buffer, parser, kAsTuple);
    if (failure) co_return FailIo(result, "cut off", failure);
    take();
  }
  if (result.outcome == LoadOutcome::kFailed) co_return;
  if (!record.Done()) co_return Fail(result, "cut off", "the stream ended without [DONE]");
  if (result.output_tokens == 0) co_return Fail(result, "no output", "no token came");
  result.outcome = LoadOutcome::kCompleted;
}

net::awaitable<void> ReadRefusal(beast::tcp_stream& stream, beast::flat_buffer& buffer,
                                 Parser& parser, LoadResult& result) {
  co_await http::async_read(stream, buffer, parser, kAsTuple);
  Fail(result, "HTTP " + std::to_string(parser.get().result_int()), ErrorText(parser.get().body()));
}

// Connects, or takes a connection that another request left; nothing where that fails.
net::awaitable<Connection> Connect(ExchangePlace& place, bool fresh, LoadResult& result) {
  if (!fresh) {
    Connection kept = std::move(place.idle.back());
    place.idle.pop_back();
    kept->expires_after(Duration(place.options.timeout_s));
    co_return kept;
  }
  auto stream = std::make_unique<beast::tcp_stream>(co_await net::this_coro::executor);
  stream->expires_after(Duration(place.options.timeout_s));
  auto [failure, endpoint] = co_await stream->async_connect(place.addresses, kAsTuple);
  if (failure) {
    FailIo(result, "connect", failure);
    co_return nullptr;
  }
  Failure ignored;
  stream->socket().set_option(net::ip::tcp::no_delay(true), ignored);
  co_return stream;
}

// False where a kept connection turned out to be closed: another try may work.
net::awaitable<bool> TryOnce(ExchangePlace& place, const LoadRequest& request, bool fresh,
                             LoadResult& result) {
  Connection stream = co_await Connect(place, fresh, result);
  if (!stream) co_return true;
  const auto message = RequestOf(place.options.target, place.options.path, request.body);
  auto [unwritten, written] = co_await http::async_write(*stream, message, kAsTuple);
  beast::flat_buffer buffer;
  std::optional<Parser> parser(std::in_place);
  parser->body_limit(boost::none);
  Failure failure = unwritten;
  // A server that refuses early closes before it has read everything; what it said still counts.
  if (!unwritten || fresh) {
    auto [unread, read] = co_await http::async_read_header(*stream, buffer, *parser, kAsTuple);
    failure = unread;
  }
  if (failure) {
    if (!fresh && failure != beast::error::timeout) co_return false;
    FailIo(result, "cut off", failure);
    co_return true;
  }
  if (parser->get().result() == http::status::ok) {
    co_await ReadStream(place, *stream, buffer, *parser, result);
  } else {
    co_await ReadRefusal(*stream, buffer, *parser, result);
  }
  if (parser->is_done() && parser->keep_alive()) place.idle.push_back(std::move(stream));
  co_return true;
}

}  // namespace

net::awaitable<void> Exchange(ExchangePlace& place, const LoadRequest& request,
                              LoadResult& result) {
  result.outcome = LoadOutcome::kDropped;
  result.start_s = place.now();
  result.input_tokens = request.input_tokens;
  const bool kept = !place.idle.empty();
  const bool settled = co_await TryOnce(place, request, !kept, result);
  if (!settled) co_await TryOnce(place, request, true, result);
  if (result.outcome != LoadOutcome::kCompleted) result.latency_s = place.now() - result.start_s;
}

}  // namespace tenon::apps
