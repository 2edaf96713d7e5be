// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "core/plugins/refusal.h"
#include "tenon/plugin.h"

namespace tenon::core {

// Why the description that a plugin's entry returned cannot be used (TN103, TN104, TN110); nothing
// where it can. Reads no further than what was already found right: the ABI before the rest of the
// struct, sizes before tables. `info` may be null.
std::optional<Refusal> CheckDescriptor(const PluginInfo* info, const std::string& file);

}  // namespace tenon::core
