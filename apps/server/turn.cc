// SPDX-License-Identifier: Apache-2.0
#include "apps/server/turn.h"

#include <ctime>

#include "fmt/format.h"

namespace tenon::apps::server {
namespace {

const char* Reason(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 202:
      return "Accepted";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 413:
      return "Content Too Large";
    case 417:
      return "Expectation Failed";
    case 426:
      return "Upgrade Required";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 503:
      return "Service Unavailable";
    default:
      return "Status";
  }
}

std::string Date() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  char text[40];
  std::strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &utc);
  return text;
}

}  // namespace

Turn::Turn(Request request, const Route* route, bool reusable, size_t most_unread,
           std::shared_ptr<Wire> wire)
    : request_(std::move(request)),
      route_(route),
      most_unread_(most_unread),
      wire_(std::move(wire)),
      bytes_in_(request_.body.size()),
      reusable_(reusable) {}

std::string Turn::Head(int status, const std::string& type) const {
  return fmt::format(
      "HTTP/1.1 {} {}\r\nDate: {}\r\nContent-Type: {}\r\nX-Content-Type-Options: nosniff\r\n"
      "Cache-Control: no-store\r\nX-Request-Id: {}\r\n{}",
      status, Reason(status), Date(), type, request_.id,
      reusable_ ? (request_.head.http_1_0 ? "Connection: keep-alive\r\n" : "")
                : "Connection: close\r\n");
}

void Turn::ReplyLocked(Response response) {
  status_ = response.status;
  bytes_out_ = response.body.size();
  head_ = Head(response.status, response.type);
  for (const auto& [name, value] : response.fields) head_ += name + ": " + value + "\r\n";
  head_ += fmt::format("Content-Length: {}\r\n\r\n", response.body.size());
  if (request_.head.method != "HEAD") pending_ = std::move(response.body);
}

void Turn::Reply(Response response) {
  {
    const std::lock_guard lock(mutex_);
    if (ended_ || gone_) return;
    ended_ = true;
    woken_ = true;
    if (streams_) {
      // It began by itself, to say that it lives: what would have been a response is an event.
      Append("data: " + response.body + "\n\n");
    } else {
      ReplyLocked(std::move(response));
    }
  }
  wire_->Wake();
}

void Turn::BeginLocked() {
  streams_ = true;
  status_ = 200;
  // Nothing but the connection's end marks the stream's.
  if (request_.head.http_1_0) reusable_ = false;
  head_ = Head(200, "text/event-stream; charset=utf-8") + "X-Accel-Buffering: no\r\n" +
          (request_.head.http_1_0 ? "\r\n" : "Transfer-Encoding: chunked\r\n\r\n");
}

void Turn::Begin() {
  {
    const std::lock_guard lock(mutex_);
    if (ended_ || gone_ || streams_) return;
    BeginLocked();
    if (std::exchange(woken_, true)) return;
  }
  wire_->Wake();
}

void Turn::Append(std::string_view text) {
  pending_ += text;
  bytes_out_ += text.size();
}

void Turn::Send(std::string_view data) {
  bool too_much = false;
  {
    const std::lock_guard lock(mutex_);
    if (ended_ || gone_ || !streams_) return;
    Append("data: ");
    Append(data);
    Append("\n\n");
    too_much = pending_.size() + in_flight_ > most_unread_;
    if (!too_much && std::exchange(woken_, true)) return;
  }
  if (too_much) {
    wire_->Cut();
  } else {
    wire_->Wake();
  }
}

void Turn::Finish() {
  {
    const std::lock_guard lock(mutex_);
    if (ended_ || gone_ || !streams_) return;
    ended_ = true;
    woken_ = true;
  }
  wire_->Wake();
}

void Turn::ExpectStream() {
  const std::lock_guard lock(mutex_);
  expects_stream_ = true;
}

void Turn::OnGone(std::function<void()> gone) {
  {
    const std::lock_guard lock(mutex_);
    if (ended_) return;
    if (!gone_) {
      on_gone_ = std::move(gone);
      return;
    }
  }
  gone();
}

bool Turn::Take(Piece* piece) {
  const std::lock_guard lock(mutex_);
  woken_ = false;
  piece->head.clear();
  piece->body.clear();
  piece->tail.clear();
  in_flight_ = 0;
  if (taken_last_ || gone_ || (head_.empty() && pending_.empty() && !ended_)) return false;
  std::swap(piece->head, head_);
  std::swap(piece->body, pending_);
  in_flight_ = piece->body.size();
  piece->last = taken_last_ = ended_;
  if (streams_ && !request_.head.http_1_0) {
    if (!piece->body.empty()) {
      piece->head += fmt::format("{:x}\r\n", piece->body.size());
      piece->tail = "\r\n";
    }
    if (piece->last) piece->tail += "0\r\n\r\n";
  }
  return true;
}

void Turn::SayAlive() {
  {
    const std::lock_guard lock(mutex_);
    if (ended_ || gone_ || !(streams_ || expects_stream_)) return;
    if (!streams_) BeginLocked();
    Append(": keep-alive\n\n");
  }
  wire_->Wake();
}

void Turn::LoseClient() {
  std::function<void()> gone;
  {
    const std::lock_guard lock(mutex_);
    if (gone_) return;
    gone_ = true;
    gone = std::move(on_gone_);
    pending_ = {};
  }
  if (gone) gone();
}

void Turn::Forget() {
  std::function<void()> gone;
  const std::lock_guard lock(mutex_);
  std::swap(gone, on_gone_);
}

bool Turn::reusable() const {
  const std::lock_guard lock(mutex_);
  return reusable_;
}

bool Turn::ended() const {
  const std::lock_guard lock(mutex_);
  return ended_;
}

Answered Turn::Summary() const {
  const std::lock_guard lock(mutex_);
  Answered out;
  out.id = request_.id;
  if (route_ != nullptr) {
    out.route = route_->path;
    out.method = route_->method;
  }
  out.status = status_;
  out.bytes_in = bytes_in_;
  out.bytes_out = bytes_out_;
  out.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  out.cut = gone_;
  return out;
}

}  // namespace tenon::apps::server
