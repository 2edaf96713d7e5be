// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "core/plugins/registry.h"

// What `tenon plugins` prints. Each text ends with a newline.
namespace tenon::core {

// A line a component: family, name ('*' marks what a pipeline gets that leaves the family out),
// plugin, version and doc. With `why`, also each refusal with its file; without, how many.
std::string PluginsText(Registry& registry, bool why);

// {"components": [{"family", "name", "doc", "default", "rank", "state", "reason", "file", "plugin",
// "version", "licence", "capabilities", "options": […]}], "refused": [{"code", "file", "component",
// "text"}]}
std::string PluginsJson(Registry& registry);

// One component for people: `name` is as in YAML, or family/name, or a plugin's id. Several of one
// name are all described. Error TN203 where there is none.
Result<std::string> DescribeText(Registry& registry, std::string_view name);

// The same as JSON: {"components": […]}.
Result<std::string> DescribeJson(Registry& registry, std::string_view name);

// Names of all bits that are set: "sliding window", "q4_1 weights".
std::vector<std::string> CapabilityNames(Capabilities capabilities);

// One bit; "capability 77" where it has no name.
std::string CapabilityName(Capability bit);

}  // namespace tenon::core
