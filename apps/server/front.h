// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "apps/server/gate.h"

namespace tenon::apps::server {

// What bounds one connection.
struct ConnectionLimits {
  using Time = std::chrono::milliseconds;
  size_t head_bytes = 8192;
  uint64_t body_bytes = uint64_t{4} << 20;
  size_t unread_bytes = size_t{1} << 20;  // of a stream, waiting to be sent
  Time head{10000};                       // from a request's first byte to its last header
  Time body{30000};                       // from there to its last byte
  Time stall{30000};                      // without a byte that the client takes
  Time idle{75000};                       // between requests
  Time comment{15000};                    // a stream's longest silence
  Time linger{2000};                      // for what a refused client still sends
};

// An exchange that is over. Holds lengths and times, never text.
struct Answered {
  std::string id;
  std::string_view route;   // the pattern; empty: none
  std::string_view method;  // of the route; empty: none
  int status = 0;
  uint64_t bytes_in = 0;   // of the body
  uint64_t bytes_out = 0;  // of the body
  double seconds = 0;
  bool cut = false;  // the client left, or was cut off, before the end
};

// What connections ask of the server that they belong to. Thread: any.
class Front {
 public:
  virtual ~Front() = default;
  virtual const ConnectionLimits& Limits() const = 0;
  virtual Verdict Judge(const RequestHead& head, const Peer& peer) const = 0;

  // An exchange begins: between these two a drain waits for it.
  virtual void OnBegin() = 0;
  virtual void OnAnswered(const Answered& answered) = 0;

  // Starts what a route does; never throws. The answer goes to `exchange`.
  virtual void Handle(const Route& route, const std::shared_ptr<Exchange>& exchange) = 0;
};

}  // namespace tenon::apps::server
