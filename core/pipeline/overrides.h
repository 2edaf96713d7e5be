// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "core/pipeline/document.h"

namespace tenon::core {

// Lays the command line's --set texts over the tree, one after the other:
//   model=NAME, memory.context_tokens=4096, adapters.NAME=folder
//   attention.use=flash, attention=flash, attention.tile=64
//   decoding.0.temperature=0.5, decoding.sampler.temperature=0.5, decoding=greedy
// A value that begins with [ or { is read as YAML; no variables are expanded: the shell does that.
// Where `use` changes, options that were there are marked as inherited, those of --set excepted.
// `root` has a decoding list if any. Errors are TN208, and TN201 for an unknown key.
void ApplyOverrides(const std::vector<std::string>& overrides, YamlNode& root, Sources& sources,
                    Diagnostics& diagnostics);

}  // namespace tenon::core
