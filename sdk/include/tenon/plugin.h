// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <exception>

#include "tenon/capability.h"
#include "tenon/component.h"

// The entry of a plugin: one exported C symbol, tenon_plugin_v1, pure and cheap, that returns a
// constant description. The host reads and checks it before any object is made.
namespace tenon {

// Grows by one when a boundary type or interface changes. Frozen within a number: never reorder,
// never insert; growth is a new optional interface asked for by name.
inline constexpr uint32_t kAbiVersion = 1;

// Set from the compiler, never by hand: what must be alike for virtual tables to be understood.
inline constexpr const char* kToolchainStamp =
#if defined(__x86_64__)
    "linux-x86_64-itanium";
#elif defined(__aarch64__)
    "linux-aarch64-itanium";
#else
#error "Tenon plugins are built for Linux on x86-64 or AArch64"
#endif

// One technique. Constant; lives as long as the plugin, which is never unloaded.
struct ComponentInfo {
  uint32_t size;  // sizeof(ComponentInfo)
  Family family;
  const char* name;  // as in YAML; lower_case, a third party prefixes its own: "acme.flash"
  const char* doc;   // one sentence
  int32_t rank;      // the highest of a family is its default; third parties use 0 or less
  Capabilities capabilities;
  const OptionInfo* options;
  uint32_t option_count;

  // Makes a component, or returns why not after Host::Fail. Throws nothing. Thread: the host's.
  Status (*create)(const CreateArgs* args, Component** out) noexcept;
  // Ends what create made. Nothing else uses the component then.
  void (*destroy)(Component* component) noexcept;
  // Whether this machine can run it; null means yes. On failure Host::Fail has the reason
  // ("needs sm_80, found no CUDA device") and the component is listed as skipped.
  Status (*probe)(Host* host) noexcept;
};

struct PluginInfo {
  uint32_t size;        // sizeof(PluginInfo)
  uint32_t abi;         // kAbiVersion
  const char* stamp;    // kToolchainStamp
  const char* id;       // "tenon.attention.paged"
  const char* version;  // "0.1.0"
  const char* licence;  // SPDX
  const ComponentInfo* const* components;
  uint32_t component_count;
};

using PluginEntry = const PluginInfo* (*)();
inline constexpr const char* kEntrySymbol = "tenon_plugin_v1";

namespace internal {

template <typename T>
Status Create(const CreateArgs* args, Component** out) noexcept {
  try {
    *out = new T(*args);
    return Status::kOk;
  } catch (const std::exception& error) {
    return args->host->Fail(Status::kInvalid, error.what());
  } catch (...) {
    return args->host->Fail(Status::kInternal, "the constructor threw something unknown");
  }
}

template <typename T>
void Destroy(Component* component) noexcept {
  delete static_cast<T*>(component);
}

}  // namespace internal

// Describes component T: a final class deriving from Component, with a constructor
// T(const CreateArgs&) that may throw a std::exception whose text the user will read.
template <typename T, uint32_t N>
constexpr ComponentInfo Describe(Family family, const char* name, const char* doc, int32_t rank,
                                 Capabilities capabilities, const OptionInfo (&options)[N],
                                 Status (*probe)(Host*) noexcept = nullptr) {
  return {sizeof(ComponentInfo),
          family,
          name,
          doc,
          rank,
          capabilities,
          options,
          N,
          &internal::Create<T>,
          &internal::Destroy<T>,
          probe};
}

template <typename T>
constexpr ComponentInfo Describe(Family family, const char* name, const char* doc, int32_t rank,
                                 Capabilities capabilities,
                                 Status (*probe)(Host*) noexcept = nullptr) {
  return {sizeof(ComponentInfo),
          family,
          name,
          doc,
          rank,
          capabilities,
          nullptr,
          0,
          &internal::Create<T>,
          &internal::Destroy<T>,
          probe};
}

}  // namespace tenon

// The name of the entry; another only in builds that link several plugins into one binary.
#ifndef TENON_PLUGIN_ENTRY
#define TENON_PLUGIN_ENTRY tenon_plugin_v1
#endif

// Once in a plugin, after the ComponentInfo objects it lists:
//   TENON_PLUGIN("acme.attention.flash", "1.2.0", "MIT", &kFlash, &kFlashInt8);
#define TENON_PLUGIN(id, version, licence, ...)                                         \
  extern "C" __attribute__((visibility("default"))) const ::tenon::PluginInfo*          \
  TENON_PLUGIN_ENTRY() {                                                                \
    static constexpr const ::tenon::ComponentInfo* kComponents[] = {__VA_ARGS__};       \
    static constexpr ::tenon::PluginInfo kInfo = {sizeof(::tenon::PluginInfo),          \
                                                  ::tenon::kAbiVersion,                 \
                                                  ::tenon::kToolchainStamp,             \
                                                  id,                                   \
                                                  version,                              \
                                                  licence,                              \
                                                  kComponents,                          \
                                                  sizeof(kComponents) / sizeof(void*)}; \
    return &kInfo;                                                                      \
  }                                                                                     \
  static_assert(true, "")
