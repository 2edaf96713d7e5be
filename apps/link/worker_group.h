// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "apps/engine/engine_client.h"
#include "apps/link/remote_client.h"
#include "apps/link/routing.h"

namespace tenon::apps::link {

// Not heard of for so long, a worker is not ready.
inline constexpr double kSilentS = 0.8;
// Work waits and no step was completed for so long: the engine is stuck.
inline constexpr double kStuckS = 5;

// The workers of one pipeline as one engine. Workers come and go; requests go to one that lives.
// Thread: any.
class WorkerGroup final : public EngineClient {
 public:
  WorkerGroup(EngineFacts facts, size_t workers);

  // Puts a worker in its place, or none.
  void Set(size_t place, std::shared_ptr<RemoteClient> client);
  int64_t OpenRequests() const;

  EngineFacts Facts() const override { return facts_; }
  // The sum of its workers. Ready while one takes requests.
  EngineState State() const override;
  uint64_t Generate(GenerateRequest request, OnGenerateEvent on_event) override;
  void Cancel(uint64_t request, int32_t choice) override;
  void Embed(std::vector<std::vector<int32_t>> texts, OnEmbeddings done) override;

 private:
  using Client = std::shared_ptr<RemoteClient>;

  std::vector<Client> Clients() const;
  int Pick(std::span<const int32_t> prompt, uint64_t salt, const std::vector<Client>& clients);

  const EngineFacts facts_;
  mutable std::mutex mutex_;
  std::vector<Client> clients_;
  Router router_;
  // Of workers that are gone: counters only grow.
  EngineState past_;
};

}  // namespace tenon::apps::link
