// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "tenon/plugin.h"

// Descriptions of plugins for tests, built at run time. Kept to the end of the process, as a
// plugin's own would be.
namespace tenon::core {

// A component description that can be made (create fails politely) and has the given options.
inline const ComponentInfo* FakeComponent(Family family, const char* name, int32_t rank,
                                          std::vector<OptionInfo> options = {},
                                          Capabilities capabilities = {},
                                          Status (*probe)(Host*) noexcept = nullptr) {
  static auto& tables = *new std::deque<std::vector<OptionInfo>>;
  static auto& infos = *new std::deque<ComponentInfo>;
  const auto& table = tables.emplace_back(std::move(options));
  ComponentInfo info{};
  info.size = sizeof(ComponentInfo);
  info.family = family;
  info.name = name;
  info.doc = "A fake.";
  info.rank = rank;
  info.capabilities = capabilities;
  info.options = table.data();
  info.option_count = static_cast<uint32_t>(table.size());
  info.create = [](const CreateArgs* args, Component**) noexcept {
    return args->host->Fail(Status::kUnsupported, "a fake cannot be made");
  };
  info.destroy = [](Component*) noexcept {};
  info.probe = probe;
  return &infos.emplace_back(info);
}

inline PluginInfo* FakePlugin(const char* id, std::vector<const ComponentInfo*> components) {
  static auto& tables = *new std::deque<std::vector<const ComponentInfo*>>;
  static auto& infos = *new std::deque<PluginInfo>;
  const auto& table = tables.emplace_back(std::move(components));
  return &infos.emplace_back(PluginInfo{sizeof(PluginInfo), kAbiVersion, kToolchainStamp, id,
                                        "0.1.0", "Apache-2.0", table.data(),
                                        static_cast<uint32_t>(table.size())});
}

// An entry that returns `info`; at most 64 in a process.
template <int N = 0>
PluginEntry FakeEntry(const PluginInfo* info) {
  static const PluginInfo* kept = nullptr;
  if (kept == nullptr || kept == info) {
    kept = info;
    return +[]() -> const PluginInfo* { return kept; };
  }
  if constexpr (N < 63) {
    return FakeEntry<N + 1>(info);
  } else {
    return nullptr;
  }
}

}  // namespace tenon::core
