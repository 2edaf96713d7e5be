// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>

#include "apps/link/fleet.h"
#include "apps/openai/api.h"
#include "apps/server/exchange.h"
#include "apps/server/router.h"

namespace tenon::apps::server {

// What handlers work with; all of it outlives them.
struct HandlerParts {
  openai::Api* api = nullptr;
  Fleet* fleet = nullptr;
  // Runs a job of an exchange on a thread that may take its time; what it throws costs the exchange
  // an error 500.
  std::function<void(const std::shared_ptr<Exchange>& exchange, std::function<void()> job)> work;
  std::function<bool()> draining;
};

// What each route does. Thread: any.
class Handlers {
 public:
  explicit Handlers(HandlerParts parts) : parts_(std::move(parts)) {}

  // Everything that can be asked for; the only list of it.
  static std::span<const Route> Routes();

  using To = const std::shared_ptr<Exchange>&;
  void Chat(To exchange) { StartCall(openai::Endpoint::kChat, exchange); }
  void Complete(To exchange) { StartCall(openai::Endpoint::kCompletions, exchange); }
  void Embed(To exchange) { StartCall(openai::Endpoint::kEmbeddings, exchange); }
  void Tokenize(To exchange) { StartCall(openai::Endpoint::kTokenize, exchange); }
  void Detokenize(To exchange) { StartCall(openai::Endpoint::kDetokenize, exchange); }
  void Models(To exchange);
  void Health(To exchange);
  void Ready(To exchange);
  void Version(To exchange);

 private:
  void StartCall(openai::Endpoint endpoint, To exchange);

  HandlerParts parts_;
};

}  // namespace tenon::apps::server
