// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "tenon/plugin.h"

namespace tenon::apps {

// The entries of the plugins that this binary has inside it; none in the usual build. Each binary
// defines it for itself.
std::vector<PluginEntry> LinkedInPlugins();

}  // namespace tenon::apps
