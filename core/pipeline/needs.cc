// SPDX-License-Identifier: Apache-2.0
#include "core/pipeline/needs.h"

#include <fmt/format.h>

#include "core/plugins/report.h"

namespace tenon::core {
namespace {

// "a", "a and b", "a, b and c".
std::string Enumerate(const std::vector<std::string>& words) {
  std::string text;
  for (size_t i = 0; i < words.size(); ++i) {
    if (i > 0) text += i + 1 == words.size() ? " and " : ", ";
    text += words[i];
  }
  return text;
}

// What a pipeline's choice for the family claims, and how it is called.
Capabilities Claimed(const Pipeline& pipeline, Family family, std::string* name) {
  if (family != Family::kDecoding) {
    const RegisteredComponent& component = *pipeline.Of(family).component;
    *name = component.name;
    return component.info->capabilities;
  }
  Capabilities claimed;
  std::vector<std::string> names;
  for (const ComponentChoice& choice : pipeline.decoding) {
    claimed = claimed.Union(choice.component->info->capabilities);
    names.push_back(choice.component->name);
  }
  *name = "decoding (" + Enumerate(names) + ")";
  return claimed;
}

// `reference, paged do`, or that none does.
std::string Fitting(Registry& registry, Family family, const std::vector<Need>& needs) {
  Capabilities all;
  for (const Need& need : needs) {
    if (need.family == family) all = all.Union(need.bits);
  }
  std::vector<std::string> names;
  for (const RegisteredComponent* component : registry.Usable(family)) {
    if (all.Missing(component->info->capabilities).empty()) names.push_back(component->name);
  }
  if (names.empty()) return fmt::format("no {} component here does", tenon::Name(family));
  return fmt::format("{} {}", fmt::join(names, ", "), names.size() == 1 ? "does" : "do");
}

}  // namespace

Result<void> CheckNeeds(const Pipeline& pipeline, Registry& registry,
                        const std::vector<Need>& needs) {
  std::string message;
  for (const Need& need : needs) {
    std::string name;
    const Capabilities missing = need.bits.Missing(Claimed(pipeline, need.family, &name));
    if (missing.empty()) continue;
    message += fmt::format("{}TN109 {} does not understand {}, which {} needs; {}",
                           message.empty() ? "" : "\n", name, Enumerate(CapabilityNames(missing)),
                           need.who, Fitting(registry, need.family, needs));
  }
  if (message.empty()) return {};
  return Error{Status::kUnsupported, std::move(message), "TN109"};
}

}  // namespace tenon::core
