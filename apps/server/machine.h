// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "boost/asio/io_context.hpp"

namespace tenon::apps::server {

class Connection;

// The event loop of a server's sockets. A step of an engine gives many connections something to
// send at once: one thread is woken, once, and sends for all of them. Thread: any.
class Machine {
 public:
  explicit Machine(int threads) : context_(threads) {}

  boost::asio::io_context& context() { return context_; }

  // `connection` has something to send.
  void Flush(std::shared_ptr<Connection> connection);

 private:
  void FlushAll();

  boost::asio::io_context context_;
  std::mutex mutex_;
  std::vector<std::shared_ptr<Connection>> to_flush_;  // not empty: FlushAll is on its way
};

}  // namespace tenon::apps::server
