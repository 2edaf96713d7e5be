// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "apps/engine/engine_client.h"
#include "apps/engine/engine_identity.h"
#include "apps/link/endpoint.h"

namespace tenon::apps::link {

// The worker's end of the link. A front end may attach before the engine is loaded: it hears
// heartbeats that say so. A front end that goes away cancels its requests. Thread: any.
class WorkerService {
 public:
  virtual ~WorkerService() = default;

  // Listens at once; kIo says why it cannot. A Unix socket gets mode 0600; the process's umask is
  // changed for the moment.
  static Result<std::unique_ptr<WorkerService>> Listen(const Endpoint& endpoint);

  // The port of a TCP endpoint.
  virtual int Port() const = 0;

  // Tells all front ends what the engine is and takes requests for it. Once.
  virtual void Serve(std::shared_ptr<EngineClient> engine, const EngineIdentity& identity) = 0;

  // Sends what the engine told since the last call; nothing once the service is gone. For
  // MakeLocalClient's after_step.
  virtual std::function<void()> AfterStep() = 0;
};

}  // namespace tenon::apps::link
