// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "apps/link/fleet.h"
#include "apps/openai/api.h"
#include "apps/server/exchange.h"
#include "apps/server/jobs.h"
#include "apps/server/log.h"
#include "apps/server/metrics.h"
#include "apps/server/router.h"

namespace tenon::apps::server {

// What handlers work with; all of it outlives them.
struct HandlerParts {
  openai::Api* api = nullptr;
  Fleet* fleet = nullptr;
  Metrics* metrics = nullptr;
  Log* log = nullptr;
  int64_t most_waiting = 0;  // calls; more are refused before their bodies are read
  bool log_prompts = false;
  // Run a job of an exchange on a thread that may take its time, or minutes (slow_work); what it
  // throws costs the exchange an error 500.
  using Run =
      std::function<void(const std::shared_ptr<Exchange>& exchange, std::function<void()> job)>;
  Run work;
  Run side_work;  // on those of `work`, one job at a time
  Run slow_work;
  std::function<bool()> draining;
};

// What each route does. Thread: any.
class Handlers {
 public:
  Handlers(HandlerParts parts, const JobLimits& jobs) : parts_(std::move(parts)), jobs_(jobs) {}

  // Everything that can be asked for; the only list of it.
  static std::span<const Route> Routes();

  using To = const std::shared_ptr<Exchange>&;
  void Chat(To exchange) { StartCall(openai::Endpoint::kChat, exchange); }
  void Complete(To exchange) { StartCall(openai::Endpoint::kCompletions, exchange); }
  void Embed(To exchange) { StartCall(openai::Endpoint::kEmbeddings, exchange); }
  void Tokenize(To exchange) { StartCall(openai::Endpoint::kTokenize, exchange); }
  void Detokenize(To exchange) { StartCall(openai::Endpoint::kDetokenize, exchange); }
  void Models(To exchange);
  void Model(To exchange);
  void Health(To exchange);
  void Ready(To exchange);
  void Version(To exchange);
  void MetricsText(To exchange);
  void Reload(To exchange);
  void Compare(To exchange);
  void Promote(To exchange) { EndTrial(exchange, &trial::Trial::Promote); }
  void RollBack(To exchange) { EndTrial(exchange, &trial::Trial::RollBack); }
  void Page(To exchange);
  void WebSocket(To exchange);
  void StartJob(To exchange);
  void PollJob(To exchange);
  void DeleteJob(To exchange);

  Jobs& jobs() { return jobs_; }
  const Jobs& jobs() const { return jobs_; }

 private:
  const HandlerParts::Run& RunOf(openai::Endpoint endpoint) const;
  void StartCall(openai::Endpoint endpoint, To exchange);
  void CallNow(openai::Endpoint endpoint, To exchange);
  bool IsFull(To exchange) const;
  void LogPrompt(To exchange) const;
  // Null, and the exchange is answered, where there is none.
  trial::Trial* FindTrial(To exchange) const;
  void EndTrial(To exchange, Result<void> (trial::Trial::*end)());

  HandlerParts parts_;
  Jobs jobs_;
  std::atomic<int64_t> queued_ = 0;  // calls whose bodies are not read yet
  std::atomic<bool> reloading_ = false;
};

}  // namespace tenon::apps::server
