// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/pipeline/yaml_tree.h"

namespace tenon::core {

// Replaces ${VAR} and ${VAR:-default} in the values (not the keys) of the tree by the environment;
// the default also counts where VAR is empty. "$${" is a plain "${". A variable that is not set and
// has no default is TN206; a name or a brace that is wrong, or values beyond 1 MiB in all, TN202.
void ExpandEnvironment(YamlNode& node, Diagnostics& diagnostics);

}  // namespace tenon::core
