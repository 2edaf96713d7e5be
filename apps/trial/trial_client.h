// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "apps/engine/engine_client.h"
#include "apps/trial/arm_run.h"
#include "apps/trial/trial.h"
#include "apps/trial/trial_statistics.h"

namespace tenon::apps::trial {

struct Traffic;

// Two engines as one: A's facts and state, and a share of its requests for B. Who gets B is decided
// by a hash of GenerateRequest::sticky, with a key of the client's own.
// As a shadow B gets copies of requests, with the same seeds, and what it says is thrown away.
class TrialClient final : public EngineClient {
 public:
  TrialClient(std::shared_ptr<EngineClient> a, std::shared_ptr<EngineClient> b,
              const TrialOptions& options, std::shared_ptr<TrialStatistics> statistics,
              Clock clock);

  // Ends the trial: from now on all requests go to `arm`, uncounted. What runs ends where it is;
  // but shadows are cancelled, and where A stays it takes over what B has not begun to answer.
  void Settle(Arm arm);

  // Whether B gets requests of that user or id.
  bool IsBs(const std::string& sticky) const;

  EngineFacts Facts() const override;
  EngineState State() const override;
  uint64_t Generate(GenerateRequest request, OnGenerateEvent on_event) override;
  void Cancel(uint64_t request, int32_t choice) override;
  void Embed(std::vector<std::vector<int32_t>> texts, OnEmbeddings done) override;

 private:
  enum class Mode : uint8_t { kTrying, kOnlyA, kOnlyB };

  const TrialOptions options_;
  const std::shared_ptr<Traffic> traffic_;  // requests outlive the client
  std::string key_;
  std::atomic<Mode> mode_ = Mode::kTrying;
};

}  // namespace tenon::apps::trial
