// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "plugins/attention/common/attention_rig.h"

namespace tenon::attention {

// A script of steps that every attention component must answer as `reference` does.
struct RigCase {
  std::string name;
  RigSetup setup;
  double tolerance;  // of RigDistance
  std::vector<std::vector<StepPart>> steps;
};

// Shapes, KV types, windows, caps, sinks, trees, and batches of prompts and decodes mixed; latent
// and bidirectional ops.
std::vector<RigCase> RigCases();

// Runs all steps and returns the rows; adds a test failure where the op cannot be made.
RigSession::Rows RunCase(const PluginInfo& plugin, const RigSetup& setup,
                         const std::vector<std::vector<StepPart>>& steps);

}  // namespace tenon::attention
