// SPDX-License-Identifier: Apache-2.0
#include "apps/cli/command.h"
#include "core/pipeline/component_choice.h"
#include "core/plugins/host.h"
#include "fmt/format.h"
#include "kernels/cpu/isa.h"
#include "nlohmann/json.hpp"
#include "tenon/device.h"

namespace tenon::apps {
namespace {

struct DevicesArguments {
  std::vector<std::string> plugin_dirs;
  bool json = false;
};

// A device component made with its default options, as `tenon devices` shows it.
nlohmann::json Probe(const core::Registry::Listed& listed, bool is_default) {
  const core::RegisteredComponent& component = *listed.component;
  nlohmann::json out = {{"component", component.name}, {"used", false}, {"default", is_default}};
  if (listed.standing != core::Standing::kUsable) {
    out["problem"] = listed.why.Text();
    return out;
  }
  const core::ComponentChoice choice = core::DefaultChoice(component, component.name);
  const CreateArgs args{component.host, choice.options.View(), nullptr};
  Component* made = nullptr;
  core::ForgetFailure();
  if (component.info->create(&args, &made) != Status::kOk) {
    out["problem"] = core::TakeFailure();
    return out;
  }
  const std::unique_ptr<Component, void (*)(Component*) noexcept> owner(made,
                                                                        component.info->destroy);
  auto* device = QueryFor<Device>(*made);
  if (device == nullptr) {
    out["problem"] = std::string("offers no ") + Device::kName;
    return out;
  }
  const DeviceInfo info = device->Info();
  out["kind"] = std::string_view(info.kind);
  out["name"] = std::string_view(info.name);
  out["isa"] = std::string_view(info.isa);
  out["lanes"] = info.lanes;
  out["memory_bytes"] = info.memory_bytes;
  out["free_bytes"] = info.free_bytes;
  out["used"] = is_default;
  return out;
}

void PrintText(const nlohmann::json& document) {
  fmt::print("instruction-set levels (TENON_ISA forces one):\n");
  for (const auto& level : document["isa_levels"]) {
    fmt::print("  {} {:<8} {:<10} {}\n", level["used"].get<bool>() ? '*' : ' ',
               level["name"].get<std::string>(),
               level["available"].get<bool>() ? "available" : "missing",
               level["needs"].get<std::string>());
  }
  fmt::print("devices:\n");
  for (const auto& device : document["devices"]) {
    const char mark = device["used"].get<bool>() ? '*' : ' ';
    const auto name = device["component"].get<std::string>();
    if (device.contains("problem")) {
      fmt::print("  {} {:<8} {}\n", mark, name, device["problem"].get<std::string>());
      continue;
    }
    fmt::print("  {} {:<8} {}, {}, {} lanes, {:.1f} of {:.1f} GB free\n", mark, name,
               device["name"].get<std::string>(), device["isa"].get<std::string>(),
               device["lanes"].get<int32_t>(),
               static_cast<double>(device["free_bytes"].get<uint64_t>()) * 1e-9,
               static_cast<double>(device["memory_bytes"].get<uint64_t>()) * 1e-9);
  }
}

int Devices(const DevicesArguments& arguments) {
  core::Registry registry;
  FillRegistry(registry, arguments.plugin_dirs);
  nlohmann::json document = {{"isa_levels", nlohmann::json::array()},
                             {"devices", nlohmann::json::array()}};
  const cpu::IsaChoice& choice = cpu::EnvironmentIsa();
  for (uint32_t i = 0; i < cpu::kIsaCount; ++i) {
    const cpu::IsaLevel& level = cpu::IsaLevels()[i];
    document["isa_levels"].push_back(
        {{"name", level.name},
         {"needs", level.needs},
         {"available", level.available},
         {"used", choice.status == Status::kOk && choice.isa == level.isa}});
  }
  const core::RegisteredComponent* standard = registry.Default(Family::kDevice);
  for (const core::Registry::Listed& listed : registry.List()) {
    if (listed.component->family() != Family::kDevice) continue;
    document["devices"].push_back(Probe(listed, listed.component == standard));
  }
  if (arguments.json) {
    fmt::print("{}\n", document.dump());
  } else {
    PrintText(document);
  }
  if (choice.status != Status::kOk) return Report({choice.status, choice.message});
  return kSuccess;
}

}  // namespace

void AddDevices(CLI::App& app, int& exit_code) {
  auto arguments = std::make_shared<DevicesArguments>();
  CLI::App* command =
      app.add_subcommand("devices", "instruction-set levels and devices, and which are used");
  command->add_option("--plugin-dir", arguments->plugin_dirs, "look for plugins here as well")
      ->allow_extra_args(false);
  command->add_flag("--json", arguments->json, "one JSON document");
  command->callback([arguments, &exit_code] { exit_code = Devices(*arguments); });
}

}  // namespace tenon::apps
