// SPDX-License-Identifier: Apache-2.0
#include "apps/server/connection.h"

#include <algorithm>
#include <array>

#include "apps/server/websocket.h"
#include "boost/asio/buffer.hpp"
#include "boost/asio/post.hpp"
#include "boost/asio/write.hpp"
#include "boost/beast/core/buffers_suffix.hpp"

namespace tenon::apps::server {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

// Of requests behind the one being answered.
constexpr size_t kMostAheadBytes = 16384;
constexpr size_t kMostLingerBytes = size_t{1} << 20;
constexpr size_t kMostIdBytes = 128;

bool IsId(std::string_view text) {
  return !text.empty() && text.size() <= kMostIdBytes &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                  c == '-' || c == '_' || c == '.';
         });
}

using Buffers = std::array<asio::const_buffer, 3>;

Buffers BuffersOf(const Turn::Piece& piece) {
  return {asio::buffer(piece.head), asio::buffer(piece.body), asio::buffer(piece.tail)};
}

}  // namespace

Connection::Connection(std::shared_ptr<Machine> machine, Socket socket, bool admin_port,
                       Front& front, Crowd& crowd)
    : machine_(std::move(machine)),
      socket_(std::move(socket)),
      timer_(socket_.get_executor()),
      front_(front),
      crowd_(crowd),
      limits_(front.Limits()) {
  error_code error;
  const auto remote = socket_.remote_endpoint(error);
  peer_.loopback = !error && remote.address().is_loopback();
  peer_.admin_port = admin_port;
}

Connection::~Connection() { crowd_.Leave(*this); }

void Connection::Start() {
  error_code error;
  socket_.non_blocking(true, error);
  socket_.set_option(asio::ip::tcp::no_delay(true), error);
  if (!crowd_.Join(*this)) {
    static constexpr std::string_view kFull =
        "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 1\r\n"
        "Content-Length: 0\r\n\r\n";
    socket_.write_some(asio::buffer(kFull.data(), kFull.size()), error);
    Close();
    return;
  }
  Deadline(&read_deadline_, limits_.head);
  Read();
}

void Connection::Wake() { machine_->Flush(shared_from_this()); }

void Connection::Cut() {
  auto self = weak_from_this().lock();
  if (!self) return;
  asio::post(socket_.get_executor(), [self = std::move(self)] { self->Close(); });
}

void Connection::Evict(bool working_too) {
  auto self = weak_from_this().lock();
  if (!self) return;
  asio::post(socket_.get_executor(), [self = std::move(self), working_too] {
    if (working_too || self->state_ != State::kBusy) self->Close();
  });
}

void Connection::Read() {
  if (reading_ || state_ == State::kClosed) return;
  if (state_ == State::kBusy && in_.size() >= kMostAheadBytes) return;
  reading_ = true;
  socket_.async_wait(Socket::wait_read, [self = shared_from_this()](error_code error) {
    self->reading_ = false;
    if (error) {
      self->OnEnd();
    } else {
      self->OnReadable();
    }
  });
}

void Connection::OnReadable() {
  static thread_local std::array<char, 65536> scratch;
  if (state_ == State::kClosed) return;
  error_code error;
  const size_t count = socket_.read_some(asio::buffer(scratch), error);
  if (error == asio::error::would_block) return Read();
  if (error) return OnEnd();
  if (state_ == State::kLinger) {
    lingered_bytes_ += count;
    return lingered_bytes_ > kMostLingerBytes ? Close() : Read();
  }
  // The first bytes of a request.
  if (state_ == State::kHead && in_.empty()) Deadline(&read_deadline_, limits_.head);
  in_.append(scratch.data(), count);
  Advance();
}

void Connection::OnEnd() {
  switch (state_) {
    case State::kHead:
    case State::kBody:
      peer_ended_ = true;
      if (state_ == State::kHead && in_.empty()) return Close();
      return Refuse({400, "the request ends too early"});
    case State::kBusy:
      // Who has the answer already on the way may have closed only its own side.
      peer_ended_ = true;
      if (!turn_->ended()) Close();
      return;
    case State::kLinger:
      return Close();
    case State::kClosed:
      return;
  }
}

void Connection::Advance() {
  if (state_ == State::kHead) {
    ReadHead();
  } else if (state_ == State::kBody) {
    ReadBody();
  } else {
    Read();
  }
}

void Connection::ReadHead() {
  if (in_.empty()) {
    in_ = {};
    return Read();
  }
  const HeadScan scan = ScanHead(in_, limits_.head_bytes);
  if (scan.error) return Refuse(*scan.error);
  if (scan.bytes == 0) return Read();
  OnHead(scan.bytes);
}

void Connection::OnHead(size_t bytes) {
  const std::string text = in_.substr(0, bytes);
  in_.erase(0, bytes);
  head_ = {};
  if (const auto error = ParseHead(text, &head_)) return Refuse(*error);
  verdict_ = front_.Judge(head_, peer_);
  if (verdict_.refusal) {
    // A body that nobody reads cannot be told from the next request.
    return StartRefusal(std::move(*verdict_.refusal), head_.keep_alive && !head_.HasBody());
  }
  if (verdict_.route->upgrades) return Upgrade(text);
  if (!head_.HasBody()) return StartTurn("");
  state_ = State::kBody;
  body_.emplace(text, limits_.body_bytes);
  Deadline(&read_deadline_, limits_.body);
  if (head_.expects_continue && in_.empty()) return SendContinue();
  ReadBody();
}

void Connection::Upgrade(const std::string& head) {
  if (!IsWebSocketRequest(head_) || head_.HasBody()) {
    Response refusal = ErrorResponse(MakeError(426, "this path speaks WebSocket, version 13 only"));
    refusal.fields.emplace_back("Upgrade", "websocket");
    refusal.fields.emplace_back("Sec-WebSocket-Version", "13");
    return StartRefusal(std::move(refusal), head_.keep_alive && !head_.HasBody());
  }
  // Frames may come only behind the server's consent.
  if (reading_ || !in_.empty()) return Refuse({400, "bytes before the WebSocket is open"});
  state_ = State::kClosed;
  timer_.cancel();
  crowd_.Leave(*this);
  StartWebSocket({machine_, &machine_->context()}, std::move(socket_), head, MakeRequest(),
                 *verdict_.route, front_, crowd_);
}

void Connection::SendContinue() {
  static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
  writing_ = true;
  Deadline(&write_deadline_, limits_.stall);
  asio::async_write(socket_, asio::buffer(kContinue.data(), kContinue.size()),
                    [self = shared_from_this()](error_code error, size_t) {
                      self->writing_ = false;
                      self->write_deadline_ = kNever;
                      if (error) return self->Close();
                      if (self->state_ == State::kBody) self->Read();
                      self->Flush();
                    });
}

void Connection::ReadBody() {
  const BodyReader::Progress progress = body_->Feed(in_);
  in_.erase(0, progress.taken);
  if (!crowd_.Keep(*this, progress.taken)) {
    return Refuse({503, "too many large requests at a time"});
  }
  if (progress.error) return Refuse(*progress.error);
  if (!progress.done) return Read();
  std::string body = body_->Take();
  body_.reset();
  StartTurn(std::move(body));
}

Request Connection::MakeRequest() {
  Request request;
  const std::string* id = head_.Find("x-request-id");
  request.id = id != nullptr && IsId(*id) ? *id : RandomHex(16);
  request.head = std::move(head_);
  request.tenant = std::move(verdict_.tenant);
  request.parameter = std::move(verdict_.parameter);
  return request;
}

void Connection::StartTurn(std::string body) {
  const bool reusable = head_.keep_alive;
  Request request = MakeRequest();
  request.body = std::move(body);
  BeginTurn(std::move(request), verdict_.route, reusable);
  Deadline(&comment_due_, limits_.comment);
  Read();
  // Kept, since an answer may end the turn.
  const std::shared_ptr<Turn> turn = turn_;
  front_.Handle(*verdict_.route, turn);
}

void Connection::BeginTurn(Request request, const Route* route, bool reusable) {
  state_ = State::kBusy;
  read_deadline_ = kNever;
  crowd_.Works(*this);
  front_.OnBegin();
  turn_ = std::make_shared<Turn>(std::move(request), route, reusable, limits_.unread_bytes,
                                 shared_from_this());
}

void Connection::Refuse(const FramingError& error) {
  body_.reset();
  verdict_ = {};
  head_ = {};
  const char* code = error.status == 503 ? "overloaded" : "bad_request";
  StartRefusal(ErrorResponse(MakeError(error.status, error.why, code)), false);
}

void Connection::StartRefusal(Response response, bool reusable) {
  BeginTurn(MakeRequest(), verdict_.route, reusable);
  turn_->Reply(std::move(response));
}

// Most clients have room for a piece; only what the system does not take at once is waited for.
void Connection::Flush() {
  while (!writing_ && turn_ && state_ == State::kBusy && turn_->Take(&piece_)) {
    if (comment_due_ != kNever) Deadline(&comment_due_, limits_.comment);
    error_code error;
    const Buffers buffers = BuffersOf(piece_);
    const size_t written = socket_.write_some(buffers, error);
    if (error && error != asio::error::would_block) return Close();
    if (written < asio::buffer_size(buffers)) return WriteRest(written);
    if (piece_.last) return EndTurn();
  }
}

void Connection::WriteRest(size_t written) {
  writing_ = true;
  Deadline(&write_deadline_, limits_.stall);
  boost::beast::buffers_suffix<Buffers> rest(BuffersOf(piece_));
  rest.consume(written);
  asio::async_write(
      socket_, rest,
      [self = this](error_code error, size_t) -> size_t {
        // Each byte that the client takes gives it time for the next.
        self->write_deadline_ = Clock::now() + self->limits_.stall;
        return error ? 0 : 65536;
      },
      [self = shared_from_this()](error_code error, size_t) { self->OnWritten(bool(error)); });
}

void Connection::OnWritten(bool failed) {
  writing_ = false;
  write_deadline_ = kNever;
  if (failed) return Close();
  if (state_ != State::kBusy) return;
  if (piece_.last) {
    EndTurn();
  } else {
    Flush();
  }
}

void Connection::EndTurn() {
  front_.OnAnswered(turn_->Summary());
  const bool reusable = turn_->reusable();
  turn_->Forget();
  turn_.reset();
  crowd_.Release(*this);
  piece_ = {};
  comment_due_ = kNever;
  if (!reusable || peer_ended_) return Linger();
  state_ = State::kHead;
  crowd_.Waits(*this);
  Deadline(&read_deadline_, in_.empty() ? limits_.idle : limits_.head);
  Advance();
}

void Connection::Linger() {
  // What is read no more would make the system reset the connection, and the answer be lost.
  error_code error;
  socket_.shutdown(Socket::shutdown_send, error);
  if (peer_ended_) return Close();
  state_ = State::kLinger;
  in_ = {};
  crowd_.Waits(*this);
  Deadline(&read_deadline_, limits_.linger);
  Read();
}

void Connection::Close() {
  if (state_ == State::kClosed) return;
  state_ = State::kClosed;
  timer_.cancel();
  error_code error;
  socket_.close(error);
  crowd_.Leave(*this);
  if (turn_) {
    turn_->LoseClient();
    front_.OnAnswered(turn_->Summary());
    turn_.reset();
  }
}

void Connection::Deadline(Clock::time_point* which, ConnectionLimits::Time after) {
  *which = Clock::now() + after;
  ArmTimer();
}

void Connection::ArmTimer() {
  const auto next = std::min({read_deadline_, write_deadline_, comment_due_});
  if (next >= armed_for_ || state_ == State::kClosed) return;
  armed_for_ = next;
  timer_.expires_at(next);
  timer_.async_wait([self = shared_from_this()](error_code error) {
    if (!error) self->OnTimer();
  });
}

void Connection::OnTimer() {
  armed_for_ = kNever;
  const auto now = Clock::now();
  if (write_deadline_ <= now) return Close();
  if (read_deadline_ <= now) {
    if (state_ == State::kLinger || (state_ == State::kHead && in_.empty())) return Close();
    read_deadline_ = kNever;
    return Refuse({408, "the request took too long to arrive"});
  }
  if (comment_due_ <= now && turn_) {
    turn_->SayAlive();
    comment_due_ = now + limits_.comment;
  }
  ArmTimer();
}

}  // namespace tenon::apps::server
