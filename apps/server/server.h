// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "apps/link/fleet.h"
#include "apps/openai/api.h"
#include "apps/server/api_keys.h"
#include "apps/server/front.h"
#include "apps/server/jobs.h"
#include "apps/server/log.h"
#include "apps/server/metrics.h"
#include "apps/server/trace.h"

namespace tenon::apps::server {

struct ServerOptions {
  std::string host = "127.0.0.1";      // an address, or "localhost"
  uint16_t port = 8000;                // 0: one that is free
  std::optional<uint16_t> admin_port;  // on 127.0.0.1: admin and metrics move there
  bool insecure = false;               // allows other machines without keys
  size_t connections = 1024;
  uint64_t all_body_bytes = uint64_t{1} << 30;  // of requests not answered yet, together
  int io_threads = 2;
  int work_threads = 2;         // that read requests; bulk (embeddings, tokenising) has but one
  int64_t most_waiting = 1024;  // calls: as AdmissionLimits::waiting_requests
  bool log_prompts = false;
  ConnectionLimits limits;
  JobLimits jobs;
};

// What a server serves; all of it outlives the server.
struct ServerParts {
  openai::Api* api = nullptr;
  Fleet* fleet = nullptr;
  const ApiKeys* keys = nullptr;
  Log* log = nullptr;
  Metrics* metrics = nullptr;
  Trace* trace = nullptr;  // may stay so
};

// The HTTP front end: listens, and answers until it ends.
class Server {
 public:
  // kInvalid: the host is no address, or other machines could come in without a key; kIo: the port
  // cannot be had.
  static Result<std::unique_ptr<Server>> Start(const ServerOptions& options,
                                               const ServerParts& parts);
  virtual ~Server() = default;  // as Stop

  virtual std::string Url() const = 0;  // http://HOST:PORT
  virtual uint16_t Port() const = 0;
  virtual uint16_t AdminPort() const = 0;  // 0: none

  // From now on new requests get 503. Returns at once.
  virtual void Drain() = 0;
  virtual bool Drained()
      const = 0;  // Drain was called, and all accepted requests have their answers

  // Cuts off whoever is still there.
  virtual void Stop() = 0;
};

}  // namespace tenon::apps::server
