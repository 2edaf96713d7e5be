// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "apps/trial/trial.h"

namespace tenon::apps {

// What `tenon serve --compare` is told.
struct ComparisonArguments {
  std::string pipeline;                // B's; empty: nothing is compared
  std::vector<std::string> overrides;  // of B alone
  trial::TrialOptions trial;
};

// Adds --compare and all that goes with it; `out` outlives the command.
void AddComparison(CLI::App& command, ComparisonArguments& out);

// Once the command line is read: throws a CLI::Error where options do not fit together, and fills
// in defaults that depend on others.
void CheckComparison(const CLI::App& command, size_t pipelines, size_t workers,
                     ComparisonArguments* arguments);

}  // namespace tenon::apps
