// SPDX-License-Identifier: Apache-2.0
#include "apps/trial/trial_client.h"

#include <cmath>
#include <utility>

#include "apps/engine/digest.h"
#include "apps/trial/traffic.h"

namespace tenon::apps::trial {

TrialClient::TrialClient(std::shared_ptr<EngineClient> a, std::shared_ptr<EngineClient> b,
                         const TrialOptions& options, std::shared_ptr<TrialStatistics> statistics,
                         Clock clock)
    : options_(options), traffic_(std::make_shared<Traffic>()) {
  traffic_->engines[0] = std::move(a);
  traffic_->engines[1] = std::move(b);
  traffic_->statistics = std::move(statistics);
  traffic_->clock = std::move(clock);
  key_ = RandomBytes(32);
}

bool TrialClient::IsBs(const std::string& sticky) const {
  const uint64_t hash = First64Bits(HmacOf(key_, sticky));
  return options_.share >= 1 || std::ldexp(static_cast<double>(hash), -64) < options_.share;
}

void TrialClient::Settle(Arm arm) {
  mode_ = arm == Arm::kA ? Mode::kOnlyA : Mode::kOnlyB;
  if (arm == Arm::kB) traffic_->promoted = true;
  for (const auto& request : traffic_->All()) request->Settle(arm);
}

EngineFacts TrialClient::Facts() const { return traffic_->engine(Arm::kA)->Facts(); }

EngineState TrialClient::State() const {
  return traffic_->engine(mode_ == Mode::kOnlyB ? Arm::kB : Arm::kA)->State();
}

uint64_t TrialClient::Generate(GenerateRequest request, OnGenerateEvent on_event) {
  const Mode mode = mode_;
  if (mode != Mode::kTrying) {
    return StartOnOneArm(traffic_, mode == Mode::kOnlyA ? Arm::kA : Arm::kB, false,
                         std::move(request), std::move(on_event));
  }
  const bool for_b = IsBs(request.sticky);
  if (!options_.shadow || !for_b) {
    return StartOnOneArm(traffic_, for_b ? Arm::kB : Arm::kA, true, std::move(request),
                         std::move(on_event));
  }
  if (++traffic_->open_shadows <= options_.max_shadows) {
    return StartOnBothArms(traffic_, std::move(request), std::move(on_event));
  }
  --traffic_->open_shadows;
  traffic_->statistics->CountNotShadowed();
  return StartOnOneArm(traffic_, Arm::kA, true, std::move(request), std::move(on_event));
}

void TrialClient::Cancel(uint64_t request, int32_t choice) {
  if (const auto open = traffic_->Find(request); open != nullptr) open->Cancel(choice);
}

void TrialClient::Embed(std::vector<std::vector<int32_t>> texts, OnEmbeddings done) {
  traffic_->engine(mode_ == Mode::kOnlyB ? Arm::kB : Arm::kA)
      ->Embed(std::move(texts), std::move(done));
}

}  // namespace tenon::apps::trial
