// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <variant>

#include "core/plugins/refusal.h"
#include "tenon/plugin.h"

namespace tenon::core {

// Opens the shared object at `file` (absolute) with all its symbols bound now and none of them
// shown to others, and finds its entry (TN101, TN102). It stays open to the end of the process:
// code of a plugin may run late, in its threads or at exit.
std::variant<PluginEntry, Refusal> OpenLibrary(const std::string& file);

// What a text of dlerror() about `file` means, as the cause and the cure of a TN101.
Refusal ExplainLoadFailure(const std::string& file, const std::string& dlerror_text);

}  // namespace tenon::core
