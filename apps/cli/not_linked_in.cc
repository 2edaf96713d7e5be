// SPDX-License-Identifier: Apache-2.0
#include "apps/assemble/linked_in.h"

namespace tenon::apps {

std::vector<PluginEntry> LinkedInPlugins() { return {}; }

}  // namespace tenon::apps
