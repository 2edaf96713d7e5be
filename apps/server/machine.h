// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "boost/asio/io_context.hpp"

namespace tenon::apps::server {

class Connection;

// The event loop of a server's sockets. A step of an engine gives many connections something to
// send at once: a thread is woken for every few dozen, not for each. Thread: any.
class Machine {
 public:
  explicit Machine(int threads) : context_(threads) {}

  boost::asio::io_context& context() { return context_; }

  // `connection` has something to send.
  void Flush(std::shared_ptr<Connection> connection);

 private:
  using Connections = std::vector<std::shared_ptr<Connection>>;

  void FlushSome();
  static void Flush(Connections connections);

  boost::asio::io_context context_;
  std::mutex mutex_;
  Connections to_flush_;  // not empty: FlushSome is on its way
};

}  // namespace tenon::apps::server
