// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include "core/pipeline/pipeline.h"
#include "tenon/attention.h"
#include "tenon/decoding.h"
#include "tenon/device.h"
#include "tenon/parallel.h"
#include "tenon/quant.h"
#include "tenon/rules.h"
#include "tenon/scheduler.h"

namespace tenon::core {

// The components of a pipeline, made. Ended in reverse order. Thread: the host's.
class Components {
 public:
  // Makes the device, then the others in the order of their families, each with that device; the
  // decoding chain in its order. Error TN108 with place and reason where a constructor fails, where
  // a component does not offer its family's interface, and where the chain has no sampler or more
  // than one. The pipeline's registry outlives the result; the pipeline need not.
  static Result<std::unique_ptr<Components>> Create(const Pipeline& pipeline);
  ~Components();
  Components(const Components&) = delete;
  Components& operator=(const Components&) = delete;

  Device& device() const { return *device_; }
  Attention& attention() const { return *attention_; }
  Quant& quant() const { return *quant_; }
  MemorySharing* sharing() const { return sharing_; }        // of the device; null
  WeightFootprint* footprint() const { return footprint_; }  // of the quant component; null
  Scheduler& scheduler() const { return *scheduler_; }
  Strategy& strategy() const { return *strategy_; }
  Communicator* communicator() const { return communicator_; }  // of the parallel component; null

  const std::vector<LogitProcessor*>& processors() const { return processors_; }  // in order
  Sampler& sampler() const { return *sampler_; }
  Drafter* drafter() const { return drafter_; }  // null where the chain has none
  const std::vector<FrontRule*>& front_rules() const { return front_rules_; }  // in order
  const std::vector<BackRule*>& back_rules() const { return back_rules_; }

  // Makes an adapter component with its default options, after all others and so ended before them;
  // `where` stands in messages. Fails as Create does.
  Result<Adapter*> MakeAdapter(const RegisteredComponent& component, const std::string& where);

  // What the components rewrite the Program with: of parallel, attention, quant, device, decoding.
  const std::vector<Pass*>& passes() const { return passes_; }

 private:
  struct Made {
    Component* component;
    void (*destroy)(Component*) noexcept;
    Family family;
    OptionSet options;  // a component may keep what it was given until it ends
  };

  Components() = default;
  Result<Component*> Make(const ComponentChoice& choice);
  Result<void> MakeFamily(const Pipeline& pipeline, Family family);
  Result<void> MakeDecoding(const Pipeline& pipeline);
  void CollectPasses();

  std::vector<Made> made_;
  Device* device_ = nullptr;
  Attention* attention_ = nullptr;
  Quant* quant_ = nullptr;
  MemorySharing* sharing_ = nullptr;
  WeightFootprint* footprint_ = nullptr;
  Scheduler* scheduler_ = nullptr;
  Strategy* strategy_ = nullptr;
  Communicator* communicator_ = nullptr;
  std::vector<LogitProcessor*> processors_;
  Sampler* sampler_ = nullptr;
  Drafter* drafter_ = nullptr;
  std::vector<FrontRule*> front_rules_;
  std::vector<BackRule*> back_rules_;
  std::vector<Pass*> passes_;
};

}  // namespace tenon::core
