// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "apps/server/exchange.h"
#include "apps/server/front.h"

namespace tenon::apps::server {

// What carries a turn's bytes. Thread: any.
class Wire {
 public:
  virtual ~Wire() = default;
  virtual void Wake() = 0;  // there is something to send: Turn::Take soon
  virtual void Cut() = 0;   // the client does not read: end the connection
};

// One exchange of a connection: takes what handlers send from any thread, gives it to the
// connection in pieces as large as they come.
class Turn : public Exchange {
 public:
  // `route`: nullptr where none was found. `reusable`: the connection may go on behind it.
  Turn(Request request, const Route* route, bool reusable, size_t most_unread,
       std::shared_ptr<Wire> wire);

  Request& request() override { return request_; }
  void Reply(Response response) override;
  void Begin() override;
  void Send(std::string_view data) override;
  void Finish() override;
  void ExpectStream() override;
  void OnGone(std::function<void()> gone) override;

  // Of the connection's thread, as all below. What to write next, in this order.
  struct Piece {
    std::string head;
    std::string body;
    std::string tail;
    bool last = false;
  };
  // Replaces `piece`, which was written; false: nothing to send now.
  bool Take(Piece* piece);

  void SayAlive();  // a comment into a stream that is silent
  void LoseClient();
  void Forget();  // who listens for OnGone
  bool reusable() const;
  bool ended() const;  // the whole answer is here
  Answered Summary() const;

 private:
  void Append(std::string_view text);
  std::string Head(int status, const std::string& type) const;
  void BeginLocked();
  void ReplyLocked(Response response);

  Request request_;
  const Route* route_;
  const size_t most_unread_;
  const std::shared_ptr<Wire> wire_;
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  uint64_t bytes_in_ = 0;

  mutable std::mutex mutex_;
  std::string head_;     // status line and headers, not taken yet
  std::string pending_;  // body bytes, not taken yet
  size_t in_flight_ = 0;
  uint64_t bytes_out_ = 0;
  int status_ = 0;
  bool reusable_;
  bool expects_stream_ = false;
  bool streams_ = false;
  bool ended_ = false;
  bool taken_last_ = false;
  bool woken_ = false;
  bool gone_ = false;
  std::function<void()> on_gone_;
};

}  // namespace tenon::apps::server
