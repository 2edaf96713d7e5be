// SPDX-License-Identifier: Apache-2.0
#include "core/plugins/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/plugins/nearest.h"
#include "core/plugins/option_text.h"

namespace tenon::core {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kStates[] = {"usable", "skipped", "conflict", "shadowed"};

bool IsDefault(Registry& registry, const RegisteredComponent& component) {
  if (component.family() != Family::kDecoding) {
    return registry.Default(component.family()) == &component;
  }
  const auto chain = registry.DefaultChain(Family::kDecoding);
  return std::find(chain.begin(), chain.end(), &component) != chain.end();
}

Json OptionJson(const OptionInfo& option) {
  Json json{{"name", option.name},
            {"type", Name(option.type)},
            {"default", option.default_text},
            {"doc", option.doc},
            {"allowed", Allowed(option)}};
  if (option.minimum != option.maximum) {
    json["minimum"] = option.minimum;
    json["maximum"] = option.maximum;
  }
  if (*option.choices != 0) json["choices"] = Choices(option);
  if (*option.unit != 0) json["unit"] = option.unit;
  return json;
}

Json ComponentJson(Registry& registry, const Registry::Listed& listed) {
  const RegisteredComponent& component = *listed.component;
  Json json{{"family", tenon::Name(component.family())},
            {"name", component.name},
            {"doc", component.info->doc},
            {"default", IsDefault(registry, component)},
            {"rank", component.rank},
            {"state", kStates[static_cast<int>(listed.standing)]},
            {"reason", listed.why.Text()},
            {"file", component.file},
            {"plugin", component.plugin->id},
            {"version", component.plugin->version},
            {"licence", component.plugin->licence},
            {"capabilities", CapabilityNames(component.info->capabilities)},
            {"options", Json::array()}};
  for (uint32_t i = 0; i < component.info->option_count; ++i) {
    json["options"].push_back(OptionJson(component.info->options[i]));
  }
  return json;
}

// Descriptions may hold any bytes: what is not UTF-8 is replaced.
std::string Dump(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<std::vector<Registry::Listed>> Named(Registry& registry, std::string_view name) {
  std::vector<Registry::Listed> found;
  std::vector<std::string> names;
  for (const Registry::Listed& listed : registry.List()) {
    const RegisteredComponent& component = *listed.component;
    const std::string full = std::string(tenon::Name(component.family())) + "/" + component.name;
    names.push_back(component.name);
    if (component.name == name || full == name || component.plugin->id == name) {
      found.push_back(listed);
    }
  }
  if (!found.empty()) return found;
  return Error{Status::kNotFound,
               fmt::format("there is no component \"{}\"{} (`tenon plugins` lists them all)",
                           OneLine(name, 80), DidYouMean(name, names)),
               "TN203"};
}

std::string DescribeOption(const OptionInfo& option) {
  return fmt::format("  {:<20} {} (default {}; {})\n", option.name, OneLine(option.doc),
                     *option.default_text == 0 ? "\"\"" : OneLine(option.default_text),
                     Allowed(option));
}

std::string Describe(const Registry::Listed& listed) {
  const RegisteredComponent& component = *listed.component;
  const ComponentInfo& info = *component.info;
  std::string text = fmt::format("{} {}: {}\n  plugin {} {} ({})\n  file {}\n",
                                 tenon::Name(component.family()), component.name, OneLine(info.doc),
                                 OneLine(component.plugin->id), OneLine(component.plugin->version),
                                 OneLine(component.plugin->licence), component.file);
  if (listed.standing != Standing::kUsable) text += "  " + listed.why.Text() + "\n";
  const auto capabilities = CapabilityNames(info.capabilities);
  if (!capabilities.empty()) {
    text += fmt::format("  understands {}\n", fmt::join(capabilities, ", "));
  }
  text += info.option_count == 0 ? "  no options\n" : "options\n";
  for (uint32_t i = 0; i < info.option_count; ++i) text += DescribeOption(info.options[i]);
  return text;
}

}  // namespace

std::string CapabilityName(Capability bit) {
  const char* name = tenon::Describe(bit);
  const auto number = static_cast<uint32_t>(bit);
  if (name == nullptr) return fmt::format("capability {}", number);
  const bool weight = number >= static_cast<uint32_t>(Capability::kWeight) &&
                      number < static_cast<uint32_t>(Capability::kWeight) + kDTypeCount;
  return weight ? std::string(name) + " weights" : name;
}

std::vector<std::string> CapabilityNames(Capabilities capabilities) {
  std::vector<std::string> names;
  for (uint32_t i = 0; i < 128; ++i) {
    const auto bit = static_cast<Capability>(i);
    if (capabilities.Has(bit)) names.push_back(CapabilityName(bit));
  }
  return names;
}

std::string PluginsText(Registry& registry, bool why) {
  const auto list = registry.List();
  size_t name_width = 4;
  size_t plugin_width = 6;
  const auto plugin = [](const RegisteredComponent& component) {
    return OneLine(fmt::format("{} {}", component.plugin->id, component.plugin->version));
  };
  for (const auto& listed : list) {
    name_width = std::max(name_width, listed.component->name.size());
    plugin_width = std::max(plugin_width, plugin(*listed.component).size());
  }
  std::string text;
  std::string reasons;
  for (const auto& listed : list) {
    const RegisteredComponent& component = *listed.component;
    if (listed.standing != Standing::kUsable) {
      reasons += fmt::format("{}\n  file {}\n", listed.why.Text(), component.file);
      continue;
    }
    text += fmt::format("{:<10} {:<{}} {} {:<{}}  {}\n", tenon::Name(component.family()),
                        component.name, name_width, IsDefault(registry, component) ? "*" : " ",
                        plugin(component), plugin_width, OneLine(component.info->doc));
  }
  text += text.empty() ? "no plugins: see --plugin-dir and TENON_PLUGIN_PATH\n"
                       : "* used where a pipeline leaves the family out\n";
  for (const Refusal& refusal : registry.Refusals()) {
    reasons += fmt::format("{}\n  file {}\n", refusal.Text(), refusal.file);
  }
  if (why) return text + (reasons.empty() ? "\nnothing was refused\n" : "\n" + reasons);
  const auto count = std::count(reasons.begin(), reasons.end(), '\n') / 2;
  if (count > 0) text += fmt::format("{} not used; `tenon plugins --why` says why\n", count);
  return text;
}

std::string PluginsJson(Registry& registry) {
  Json json{{"components", Json::array()}, {"refused", Json::array()}};
  for (const auto& listed : registry.List()) {
    json["components"].push_back(ComponentJson(registry, listed));
  }
  for (const Refusal& refusal : registry.Refusals()) {
    json["refused"].push_back({{"code", refusal.code},
                               {"file", refusal.file},
                               {"component", refusal.component},
                               {"text", refusal.Text()}});
  }
  return Dump(json);
}

Result<std::string> DescribeText(Registry& registry, std::string_view name) {
  auto found = Named(registry, name);
  if (!found.ok()) return found.error();
  std::string text;
  for (const auto& listed : *found) text += Describe(listed);
  return text;
}

Result<std::string> DescribeJson(Registry& registry, std::string_view name) {
  auto found = Named(registry, name);
  if (!found.ok()) return found.error();
  Json json{{"components", Json::array()}};
  for (const auto& listed : *found) json["components"].push_back(ComponentJson(registry, listed));
  return Dump(json);
}

}  // namespace tenon::core
