// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "apps/engine/engine_client.h"
#include "apps/engine/engine_identity.h"
#include "apps/link/endpoint.h"

namespace tenon::apps::link {

// How a link fares.
struct LinkState {
  bool serving = false;  // its engine is loaded and the link stands
  std::string lost;      // why it is over for good; empty: it is not
  double silence_s = 0;  // since the worker was last heard, or since the link was made
  int64_t requests = 0;  // open
  int64_t tokens = 0;    // of the open requests: prompts, and what came so far
};

// An engine in another process. A link that breaks stays broken: all open requests end with kError
// and kIo at once, and so do later ones. Thread: any.
class RemoteClient : public EngineClient {
 public:
  // `on_change` is called, from a thread of the link's, when it begins to serve and when it is
  // lost.
  static Result<std::shared_ptr<RemoteClient>> Connect(const Endpoint& endpoint,
                                                       std::function<void()> on_change);

  // Frees what broken links still hold. To be called now and then, from no callback.
  static void Sweep();

  virtual LinkState Link() const = 0;

  // What the worker's engine is made of; empty until it serves.
  virtual EngineIdentity Identity() const = 0;

  // Breaks the link; `why` is what open requests are told.
  virtual void Break(const std::string& why) = 0;
};

}  // namespace tenon::apps::link
