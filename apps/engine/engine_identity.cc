// SPDX-License-Identifier: Apache-2.0
#include "apps/engine/engine_identity.h"

#include <array>
#include <filesystem>
#include <fstream>
#include <map>

#include "apps/assemble/session.h"
#include "apps/pull/checked_file.h"

namespace tenon::apps {
namespace {

constexpr const char* kProgram = "/proc/self/exe";

std::string HashOf(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return "";
  Sha256 hash;
  std::array<char, 65536> buffer;
  while (file.read(buffer.data(), buffer.size()) || file.gcount() > 0) {
    hash.Add({buffer.data(), static_cast<uint64_t>(file.gcount())});
  }
  return file.bad() ? "" : hash.Hexadecimal();
}

std::string ResolvedOf(core::Pipeline pipeline) {
  const auto absolute = [](std::string& path) {
    path = std::filesystem::absolute(path).lexically_normal().string();
  };
  if (core::IsModelPath(pipeline.model)) absolute(pipeline.model);
  for (core::PluginPath& plugin : pipeline.plugins) absolute(plugin.path);
  for (auto& [name, folder] : pipeline.adapters) absolute(folder);
  return core::Dump(pipeline);
}

}  // namespace

EngineIdentity IdentityOf(Session& session) {
  EngineIdentity identity;
  const core::Pipeline& pipeline = session.pipeline();
  identity.resolved = ResolvedOf(pipeline);
  identity.sha256 = HashOf(kProgram);
  const DeviceInfo device = session.device().Info();
  identity.isa = std::string_view(device.isa);
  identity.threads = device.lanes;
  std::map<std::string, std::string> hashes = {{"built in", identity.sha256}};
  const auto add = [&](const core::ComponentChoice& choice) {
    const core::RegisteredComponent& component = *choice.component;
    const auto [hash, fresh] = hashes.try_emplace(component.file);
    if (fresh) hash->second = HashOf(component.file);
    identity.components.push_back({Name(component.family()), component.name, component.plugin->id,
                                   component.plugin->version, component.file, hash->second});
  };
  for (const core::ComponentChoice& choice : pipeline.families) {
    if (choice.component != nullptr) add(choice);
  }
  for (const core::ComponentChoice& choice : pipeline.decoding) add(choice);
  return identity;
}

}  // namespace tenon::apps
