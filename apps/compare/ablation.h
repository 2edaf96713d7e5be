// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "apps/assemble/session.h"
#include "apps/compare/arm_text.h"
#include "apps/compare/comparison.h"
#include "core/pipeline/pipeline.h"
#include "core/plugins/registry.h"

// What each plugin of one pipeline contributes: the pipeline against itself with that one plugin
// switched to what a pipeline gets that does not name any.
namespace tenon::apps {

// One plugin of a pipeline, and what it may be switched to.
struct Switch {
  // A pipeline that results. The first that can be opened is the one to measure.
  struct Way {
    std::string instead;   // "paged", "paged with its default options", "left out"
    std::string pipeline;  // complete YAML
  };
  Family family = Family::kDevice;
  std::string component;
  std::vector<Way> ways;  // none: it is the default already
};

// One for each plugin that `pipeline` uses, in its order. A family is switched to its default with
// default options; a component of the decoding chain is left out or, where the chain needs one of
// its role, replaced by one of the default chain.
std::vector<Switch> SwitchesOf(const core::Pipeline& pipeline, core::Registry& registry);

// A switch and what came of it.
struct AblationRow {
  Switch what;
  std::string instead;                   // of the way that was measured; "" where none was
  std::string why_not;                   // for people, where none was measured
  bool is_default = false;               // nothing to switch
  ArmText arm;                           // the pipeline that resulted
  std::optional<Comparison> comparison;  // A: the pipeline as it is, B: with the switch
};

// Log of how many times as fast the pipeline is for having the plugin, and its perplexity's log
// ratio for having it.
Estimate SpeedOfHaving(const SpeedRow& row);
Estimate NllOfHaving(const Quality& quality);

struct AblationParts {
  Arm* whole = nullptr;  // the pipeline as it is; others are opened by its options
  std::vector<WorkItem> items;
  std::vector<std::vector<int32_t>> forced;  // as RunComparison takes them
  CompareOptions options;
};

// Opens and compares one arm after the other. All rows together find a difference that is not there
// in one experiment of twenty. A switch whose ways cannot be opened is a row that says why; an
// error of a run, or interruption, is one of all. `progress` hears which row it is, from 0, and the
// share of it that is done.
Result<std::vector<AblationRow>> RunAblation(const AblationParts& parts,
                                             std::vector<Switch> switches,
                                             const volatile bool* stop,
                                             const std::function<void(size_t, double)>& progress);

}  // namespace tenon::apps
