// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "core/pipeline/components.h"
#include "core/pipeline/pipeline.h"
#include "core/plugins/registry.h"
#include "models/adapter.h"
#include "tenon/quant.h"

namespace tenon::apps {

// The LoRA adapters that a pipeline names, opened for its model; an adapter's number is its place
// by name. Outlives the Program that runs them. Thread: const methods from any.
class Adapters {
 public:
  struct Named {
    std::string name;
    std::string folder;
    models::StoredAdapter stored;
  };

  Adapters() = default;
  static Result<Adapters> Open(const core::Pipeline& pipeline, const models::StoredModel& model);

  bool empty() const { return all_.empty(); }
  const std::vector<Named>& All() const { return all_; }

  // core::Request::adapter of that name; kNotFound lists the names that there are.
  Result<int32_t> NumberOf(const std::string& name) const;

  // Lets `adapter` change the Program so that requests can choose among them.
  Result<void> Rewrite(Adapter& adapter, ProgramEditor& program) const;

 private:
  std::string file_;  // the pipeline's
  std::vector<Named> all_;
};

// Success, or TN107 where the pipeline's quant component applies adapters instead.
Result<void> CheckQuantIsNoAdapter(const core::Pipeline& pipeline, core::Registry& registry);

// The highest-ranked quant component that claims Capability::kAdapter and understands the
// pipeline's device. TN203 with the folders that plugins come from where there is none, TN109
// where none understands the device.
Result<const core::RegisteredComponent*> FindAdapterComponent(
    const core::Pipeline& pipeline, core::Registry& registry,
    const std::vector<std::string>& plugin_dirs);

}  // namespace tenon::apps
