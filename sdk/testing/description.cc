// SPDX-License-Identifier: Apache-2.0
#include <cstring>
#include <string_view>

#include "tenon/testing/options.h"
#include "tenon/testing/verdict.h"

namespace tenon::testing {
namespace {

bool IsWords(const char* text) {
  if (text == nullptr || *text < 'a' || *text > 'z') return false;
  for (const char* c = text; *c != 0; ++c) {
    const bool word = (*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9') || *c == '_';
    const bool dot = *c == '.' && c[1] != 0 && c[1] != '.';
    if (!word && !dot) return false;
  }
  return true;
}

bool Says(const char* text) { return text != nullptr && *text != 0; }

std::string CheckCapabilities(const ComponentInfo& info) {
  for (uint32_t i = 0; i < 128; ++i) {
    const Capability bit = static_cast<Capability>(i);
    if (info.capabilities.Has(bit) && Describe(bit) == nullptr) {
      return Text("claims bit %u, which has no meaning", i);
    }
  }
  const bool anywhere = info.capabilities.Has(Capability::kDeviceCpu) ||
                        info.capabilities.Has(Capability::kDeviceCuda);
  return anywhere ? "" : "claims neither device cpu nor device cuda: it is refused on both";
}

std::string CheckComponent(const ComponentInfo& info, bool third_party) {
  if (info.size < sizeof(ComponentInfo)) {
    return Text("its size is %u; %zu expected", info.size, sizeof(ComponentInfo));
  }
  if (static_cast<uint32_t>(info.family) >= kFamilyCount) {
    return Text("family %u is unknown", static_cast<uint32_t>(info.family));
  }
  if (!IsWords(info.name)) return "its name is not of lower_case words joined by dots";
  if (third_party && std::strchr(info.name, '.') == nullptr) {
    return std::string("\"") + info.name + "\" has no prefix; a third party's is like acme.flash";
  }
  if (third_party && info.rank > 0) {
    return Text("its rank is %d; a third party's counts as 0 at most", info.rank);
  }
  if (!Says(info.doc)) return "it has no doc";
  if (info.create == nullptr || info.destroy == nullptr) return "it lacks create or destroy";
  return CheckCapabilities(info);
}

}  // namespace

Verdict CheckDescription(const PluginInfo& plugin) {
  if (plugin.size < sizeof(PluginInfo)) {
    return Failed(Text("its size is %u; %zu expected", plugin.size, sizeof(PluginInfo)));
  }
  if (plugin.abi != kAbiVersion) {
    return Failed(Text("its ABI is %u; %u expected", plugin.abi, kAbiVersion));
  }
  if (!Says(plugin.stamp) || std::strcmp(plugin.stamp, kToolchainStamp) != 0) {
    return Failed(std::string("its stamp is not ") + kToolchainStamp);
  }
  if (!IsWords(plugin.id)) return Failed("its id is not of lower_case words joined by dots");
  if (!Says(plugin.version) || !Says(plugin.licence)) return Failed("it has no version or licence");
  if (plugin.component_count == 0 || plugin.components == nullptr) {
    return Failed("it offers no component");
  }
  const bool third_party = std::string_view(plugin.id).rfind("tenon.", 0) != 0;
  for (uint32_t i = 0; i < plugin.component_count; ++i) {
    if (plugin.components[i] == nullptr) return Failed(Text("component %u is not there", i));
    const std::string wrong = CheckComponent(*plugin.components[i], third_party);
    if (!wrong.empty()) return Failed(Text("component %u: ", i) + wrong);
  }
  return Passed();
}

}  // namespace tenon::testing
