// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "apps/server/server.h"
#include "apps/server/testing/fakes.h"

namespace tenon::apps::server::testing {

// A server on a free port of this machine with a fake Api and Fleet, and a log in a file.
class ServerFixture {
 public:
  explicit ServerFixture(const std::function<void(ServerOptions&)>& change = {},
                         const std::string& keys = "");
  ~ServerFixture();

  uint16_t port() const { return server->Port(); }
  // Waits until a call has come in, as long as patience lasts; nullptr: none.
  std::shared_ptr<FakeCall> NextCall(size_t index = 0) const;
  std::string LogText() const;  // so far

  FakeApi api;
  FakeFleet fleet;
  ApiKeys api_keys;
  std::string log_file;
  std::unique_ptr<Log> log;
  Metrics metrics{"tenon"};
  std::unique_ptr<Server> server;
};

// Waits until `holds`, as long as patience lasts; whether it does.
bool Eventually(const std::function<bool()>& holds);

}  // namespace tenon::apps::server::testing
