// SPDX-License-Identifier: Apache-2.0
#include "core/plugins/descriptor.h"

#include <fmt/format.h>

#include <cstring>
#include <set>

#include "core/plugins/host.h"
#include "core/plugins/option_text.h"

namespace tenon::core {
namespace {

constexpr uint32_t kMostComponents = 256;
constexpr uint32_t kMostOptions = 256;

bool IsShortText(const char* text) {
  return text != nullptr && *text != 0 && strnlen(text, 257) <= 256;
}

// What is wrong with an option table; "" where nothing is.
std::string CheckOptions(const ComponentInfo& info) {
  if (info.option_count > kMostOptions) return fmt::format("has {} options", info.option_count);
  if (info.option_count > 0 && info.options == nullptr) return "lacks its option table";
  std::set<std::string> names;
  for (uint32_t i = 0; i < info.option_count; ++i) {
    const std::string wrong = CheckOption(info.options[i]);
    if (!wrong.empty()) return wrong;
    if (!names.insert(info.options[i].name).second) {
      return fmt::format("option {} is there twice", info.options[i].name);
    }
  }
  return "";
}

// What is wrong with a component's description; "" where nothing is.
std::string CheckComponent(const ComponentInfo& info) {
  if (info.size < sizeof(ComponentInfo)) {
    return fmt::format("a component's description has {} bytes; {} expected", info.size,
                       sizeof(ComponentInfo));
  }
  if (!IsName(info.name, true)) return "a component's name is not lower_case";
  const std::string name = info.name;
  if (static_cast<uint32_t>(info.family) >= kFamilyCount) {
    return fmt::format("{}: family {} is unknown to this host", name,
                       static_cast<uint32_t>(info.family));
  }
  if (info.doc == nullptr) return name + ": lacks its doc";
  if (info.create == nullptr || info.destroy == nullptr) return name + ": lacks create or destroy";
  const std::string options = CheckOptions(info);
  return options.empty() ? "" : name + ": " + options;
}

std::string CheckComponents(const PluginInfo& info) {
  if (info.component_count == 0 || info.component_count > kMostComponents ||
      info.components == nullptr) {
    return fmt::format("lists {} components; 1 to {} allowed", info.component_count,
                       kMostComponents);
  }
  std::set<std::pair<Family, std::string>> names;
  for (uint32_t i = 0; i < info.component_count; ++i) {
    if (info.components[i] == nullptr) return "lists a component that is not there";
    const ComponentInfo& component = *info.components[i];
    const std::string wrong = CheckComponent(component);
    if (!wrong.empty()) return wrong;
    if (!names.insert({component.family, component.name}).second) {
      return fmt::format("lists {} {} twice", tenon::Name(component.family), component.name);
    }
  }
  return "";
}

}  // namespace

std::optional<Refusal> CheckDescriptor(const PluginInfo* info, const std::string& file) {
  const std::string name = FileName(file);
  const auto malformed = [&](const std::string& what) {
    return Refusal{"TN110", file, "", name + ": malformed description: " + what,
                   "Describe it with the SDK's Describe and TENON_PLUGIN, and rebuild it"};
  };
  if (info == nullptr) return malformed(std::string(kEntrySymbol) + " returned nothing");
  if (info->size < offsetof(PluginInfo, stamp)) {
    return malformed(fmt::format("it has {} bytes; {} expected", info->size, sizeof(PluginInfo)));
  }
  if (info->abi != kAbiVersion) {
    return Refusal{
        "TN103", file, "",
        fmt::format("{}: needs host ABI {}; this host offers {}", name, info->abi, kAbiVersion),
        "Rebuild it with this SDK"};
  }
  if (info->size < sizeof(PluginInfo)) {
    return malformed(fmt::format("it has {} bytes; {} expected", info->size, sizeof(PluginInfo)));
  }
  if (!IsShortText(info->stamp) || std::strcmp(info->stamp, kToolchainStamp) != 0) {
    const std::string stamp = IsShortText(info->stamp) ? OneLine(info->stamp) : "nothing";
    return Refusal{"TN104", file, "",
                   fmt::format("{}: built for {}; this host is {}", name, stamp, kToolchainStamp),
                   "Rebuild it with this SDK on this kind of machine"};
  }
  if (!IsShortText(info->id) || !IsShortText(info->version) || !IsShortText(info->licence)) {
    return malformed("it lacks id, version or licence");
  }
  const std::string wrong = CheckComponents(*info);
  if (!wrong.empty()) return malformed(wrong);
  return std::nullopt;
}

}  // namespace tenon::core
