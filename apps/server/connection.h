// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "apps/server/body_reader.h"
#include "apps/server/crowd.h"
#include "apps/server/front.h"
#include "apps/server/machine.h"
#include "apps/server/turn.h"
#include "boost/asio/ip/tcp.hpp"
#include "boost/asio/steady_timer.hpp"

namespace tenon::apps::server {

// One client's connection: reads requests one behind the other, writes their answers, holds the
// deadlines. All runs on the socket's executor, a strand.
class Connection : public Wire, public Member, public std::enable_shared_from_this<Connection> {
 public:
  using Socket = boost::asio::ip::tcp::socket;

  // `machine` runs the socket and must outlive it, so it is kept; `front` and `crowd` outlive the
  // machine's last step.
  Connection(std::shared_ptr<Machine> machine, Socket socket, bool admin_port, Front& front,
             Crowd& crowd);
  ~Connection() override;

  Socket::executor_type executor() { return socket_.get_executor(); }
  void Start();
  void Flush();  // sends what there is
  void Wake() override;
  void Cut() override;
  void Evict(bool working_too) override;

 private:
  using Clock = std::chrono::steady_clock;
  enum class State : uint8_t { kHead, kBody, kBusy, kLinger, kClosed };

  void Read();
  void OnReadable();
  void OnEnd();
  void Advance();
  void ReadHead();
  void OnHead(size_t bytes);
  void ReadBody();
  void Upgrade(const std::string& head);
  void SendContinue();
  void StartTurn(std::string body);
  void Refuse(const FramingError& error);
  void BeginTurn(Request request, const Route* route, bool reusable);
  void StartRefusal(Response response, bool reusable);
  void WriteRest(size_t written);
  void OnWritten(bool failed);
  void EndTurn();
  void Linger();
  void Close();
  void Deadline(Clock::time_point* which, ConnectionLimits::Time after);
  void ArmTimer();
  void OnTimer();
  Request MakeRequest();

  const std::shared_ptr<Machine> machine_;  // first: the socket needs it
  Socket socket_;
  boost::asio::steady_timer timer_;
  Front& front_;
  Crowd& crowd_;
  const ConnectionLimits& limits_;
  Peer peer_;
  State state_ = State::kHead;
  bool reading_ = false;
  bool writing_ = false;
  bool peer_ended_ = false;
  std::string in_;  // read, not taken yet
  size_t lingered_bytes_ = 0;
  RequestHead head_;
  Verdict verdict_;
  std::optional<BodyReader> body_;
  std::shared_ptr<Turn> turn_;
  Turn::Piece piece_;  // being written

  static constexpr Clock::time_point kNever = Clock::time_point::max();
  Clock::time_point read_deadline_ = kNever;
  Clock::time_point write_deadline_ = kNever;
  Clock::time_point comment_due_ = kNever;
  Clock::time_point armed_for_ = kNever;
};

}  // namespace tenon::apps::server
