// SPDX-License-Identifier: Apache-2.0
#include "apps/server/testing/fixture.h"

#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iterator>

#include "apps/server/testing/client.h"

namespace tenon::apps::server::testing {

ServerFixture::ServerFixture(const std::function<void(ServerOptions&)>& change,
                             const std::string& keys) {
  char name[] = "/tmp/tenon-server-log-XXXXXX";
  const int file = mkstemp(name);
  if (file >= 0) close(file);
  log_file = name;
  log = std::make_unique<Log>(log_file);
  if (!keys.empty()) api_keys = ApiKeys::Parse(keys).value();
  ServerOptions options;
  options.port = 0;
  if (change) change(options);
  server = Server::Start(options, {&api, &fleet, &api_keys, log.get(), &metrics}).value();
}

ServerFixture::~ServerFixture() {
  server->Stop();
  api.Forget();
  server.reset();
  unlink(log_file.c_str());
}

std::shared_ptr<FakeCall> ServerFixture::NextCall(size_t index) const {
  Eventually([&] { return api.Calls().size() > index; });
  const auto calls = api.Calls();
  return calls.size() > index ? calls[index] : nullptr;
}

std::string ServerFixture::LogText() const {
  std::ifstream in(log_file);
  return {std::istreambuf_iterator<char>(in), {}};
}

bool Eventually(const std::function<bool()>& holds) {
  const auto until = std::chrono::steady_clock::now() + kPatience;
  while (!holds()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

}  // namespace tenon::apps::server::testing
