// SPDX-License-Identifier: Apache-2.0
#include "apps/link/worker_group.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "apps/link/messages.h"

namespace tenon::apps::link {
namespace {

constexpr const char* kNone = "no engine lives now; try again in a few seconds";

// Why a worker takes no requests; empty: it does.
std::string WhyNot(const RemoteClient* client, const EngineState& state) {
  if (client == nullptr) return "loading";
  const LinkState link = client->Link();
  if (!link.lost.empty()) return "lost";
  if (!link.serving) return "loading";
  if (link.silence_s > kSilentS) return "lost";
  if (!state.ready) return state.why_not.empty() ? "loading" : state.why_not;
  if (state.step_age_s > kStuckS) return "stuck";
  return "";
}

void AddCounters(const EngineState& from, EngineState* to) {
  to->steps += from.steps;
  to->prompt_tokens += from.prompt_tokens;
  to->output_tokens += from.output_tokens;
  to->preemptions += from.preemptions;
  to->prefix_queries += from.prefix_queries;
  to->prefix_hits += from.prefix_hits;
  to->draft_tokens += from.draft_tokens;
  to->accepted_tokens += from.accepted_tokens;
  for (const PluginTime& time : from.plugins) {
    const auto same = std::find_if(to->plugins.begin(), to->plugins.end(), [&](const auto& one) {
      return one.family == time.family && one.plugin == time.plugin;
    });
    if (same == to->plugins.end()) {
      to->plugins.push_back(time);
    } else {
      same->seconds += time.seconds;
    }
  }
}

}  // namespace

WorkerGroup::WorkerGroup(EngineFacts facts, size_t workers)
    : facts_(std::move(facts)), clients_(workers), router_(facts_.block_tokens) {}

void WorkerGroup::Set(size_t place, std::shared_ptr<RemoteClient> client) {
  Client old;
  {
    const std::lock_guard lock(mutex_);
    old = std::exchange(clients_[place], std::move(client));
    if (old != nullptr) AddCounters(old->State(), &past_);
  }
}

std::vector<WorkerGroup::Client> WorkerGroup::Clients() const {
  const std::lock_guard lock(mutex_);
  return clients_;
}

int64_t WorkerGroup::OpenRequests() const {
  int64_t open = 0;
  for (const Client& client : Clients()) open += client != nullptr ? client->Link().requests : 0;
  return open;
}

EngineState WorkerGroup::State() const {
  EngineState all;
  std::vector<Client> clients;
  {
    const std::lock_guard lock(mutex_);
    all = past_;
    clients = clients_;
  }
  all.ready = false;
  all.why_not.clear();
  for (const Client& client : clients) {
    const EngineState one = client != nullptr ? client->State() : EngineState{};
    std::string why_not = WhyNot(client.get(), one);
    all.ready = all.ready || why_not.empty();
    // What is worst to hear of: stuck and lost before loading.
    if (all.why_not.empty() || all.why_not == "loading") all.why_not = std::move(why_not);
    AddCounters(one, &all);
    all.running += one.running;
    all.waiting += one.waiting;
    all.free_blocks += one.free_blocks;
    all.step_age_s = std::max(all.step_age_s, one.step_age_s);
  }
  if (all.ready) all.why_not.clear();
  return all;
}

int WorkerGroup::Pick(std::span<const int32_t> prompt, uint64_t salt,
                      const std::vector<Client>& clients) {
  std::vector<EngineLoad> loads;
  for (const Client& client : clients) {
    const bool takes = client != nullptr && WhyNot(client.get(), client->State()).empty();
    loads.push_back({takes, takes ? client->Link().tokens : 0});
  }
  // Better a silent or stuck one, which may come back, than none.
  for (size_t i = 0; i < clients.size(); ++i) {
    const bool none = std::none_of(loads.begin(), loads.end(), [](auto& one) { return one.takes; });
    if (none && clients[i] != nullptr) loads[i].takes = clients[i]->Link().serving;
  }
  const std::lock_guard lock(mutex_);
  return router_.Pick(prompt, salt, loads);
}

uint64_t WorkerGroup::Generate(GenerateRequest request, OnGenerateEvent on_event) {
  const std::vector<Client> clients = Clients();
  const uint64_t salt = request.cache_salt ^ std::hash<std::string>{}(request.adapter);
  const int place = Pick(request.prompt, salt, clients);
  if (place >= 0) {
    const Client& client = clients[static_cast<size_t>(place)];
    const uint64_t number = client->Generate(std::move(request), std::move(on_event));
    return number * kMaxWorkers + static_cast<uint64_t>(place);
  }
  GenerateEvent event;
  event.finish = core::FinishReason::kError;
  event.status = Status::kIo;
  event.error = kNone;
  on_event(std::move(event));
  return 0;
}

// Numbers are unique among all links of the process: a later worker in the same place knows none of
// the earlier's.
void WorkerGroup::Cancel(uint64_t request, int32_t choice) {
  const std::vector<Client> clients = Clients();
  const uint64_t place = request % kMaxWorkers;
  if (place < clients.size() && clients[place] != nullptr) {
    clients[place]->Cancel(request / kMaxWorkers, choice);
  }
}

void WorkerGroup::Embed(std::vector<std::vector<int32_t>> texts, OnEmbeddings done) {
  const std::vector<Client> clients = Clients();
  const int place = Pick({}, 0, clients);
  if (place < 0) return done(Error{Status::kIo, kNone});
  clients[static_cast<size_t>(place)]->Embed(std::move(texts), std::move(done));
}

}  // namespace tenon::apps::link
