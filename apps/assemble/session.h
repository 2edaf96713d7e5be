// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "apps/assemble/adapters.h"
#include "apps/assemble/open_model.h"
#include "core/engine/engine.h"
#include "core/pipeline/components.h"
#include "core/pipeline/pipeline.h"
#include "core/plugins/registry.h"

namespace tenon::apps {

// What a session's Program gives.
enum class Purpose {
  kGenerate,  // logits; there is an engine
  kEmbed,     // hidden states of all of a step's rows; a sequence runs within one step
  kExplain,   // kEmbed of an encoder, kGenerate of all others
};

struct SessionOptions {
  std::string pipeline;                  // path of the YAML file
  std::string text;                      // what stands in it; empty: it is read
  std::vector<std::string> overrides;    // --set family.key=value
  std::vector<std::string> plugin_dirs;  // --plugin-dir
  int32_t logit_rows = 0;    // most rows of logits a step; 0: as many as sequences and drafts need
  int32_t sequences = 0;     // at least this many at once; 0: as the scheduler's option says
  bool prefix_cache = true;  // false: nothing computed is used twice, whatever the pipeline says
  std::string share_folder;  // where processes keep equal weights once; empty: nowhere
  bool progress = false;     // a bar on stderr while it loads
  Purpose purpose = Purpose::kGenerate;
};

// Loads what the search folders hold, and the plugins linked in (none in the usual build; where
// there are some, only folders named by `plugin_dirs` count besides).
void FillRegistry(core::Registry& registry, const std::vector<std::string>& plugin_dirs);

// A pipeline brought to life: plugins, model, Program and engine, ended in the right order. One
// thread.
class Session {
 public:
  static Result<std::unique_ptr<Session>> Open(const SessionOptions& options);

  // REQUIRES: it was opened to generate.
  core::Engine& engine() { return *engine_; }
  core::Program& program() { return *program_; }
  const core::Pipeline& pipeline() const { return *pipeline_; }
  const OpenedModel& model() const { return *model_; }
  // Null where the model brings no tokens' texts; prompts are token ids then.
  const text::Tokenizer* tokenizer() const {
    return model_->tokenizer ? &*model_->tokenizer : nullptr;
  }
  // Rules on texts of the pipeline's `decoding:`, which whoever serves it applies; in order.
  const std::vector<FrontRule*>& front_rules() const { return components_->front_rules(); }
  const std::vector<BackRule*>& back_rules() const { return components_->back_rules(); }
  const Adapters& adapters() const { return adapters_; }
  Device& device() { return components_->device(); }
  const Capabilities& Needs(Family family) const { return needs_[static_cast<size_t>(family)]; }
  double load_ms() const { return load_ms_; }

 private:
  Session() = default;
  Result<void> Load(const SessionOptions& options);
  Result<void> LoadPipeline(const SessionOptions& options);
  Result<void> Rewrite(core::ProgramList& list);
  Result<void> OpenAdapters(const SessionOptions& options);
  Result<void> ApplyAdapters(core::ProgramList& list);
  Result<void> CheckNeeds(const core::ProgramList& list);
  core::Makers MakersOf();
  Result<core::ProgramLimits> LimitsOf(const SessionOptions& options,
                                       const core::ProgramList& list);

  core::Registry registry_;
  std::unique_ptr<OpenedModel> model_;
  std::optional<core::Pipeline> pipeline_;
  Adapters adapters_;
  const core::RegisteredComponent* adapter_component_ = nullptr;  // where there are adapters
  std::unique_ptr<core::Components> components_;
  std::array<Capabilities, kFamilyCount> needs_{};
  std::unique_ptr<core::Program> program_;
  std::unique_ptr<core::OffloadStore> offload_;
  std::unique_ptr<core::Engine> engine_;
  bool hidden_ = false;  // the Program gives hidden states
  double load_ms_ = 0;
};

}  // namespace tenon::apps
