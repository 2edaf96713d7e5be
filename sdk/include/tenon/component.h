// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstring>

#include "tenon/host.h"
#include "tenon/option.h"

namespace tenon {

class Device;

// What every technique is to the host: something that can be asked for interfaces by name.
// Made by ComponentInfo::create and ended by ComponentInfo::destroy of the same plugin.
class Component {
 public:
  // The interface of that versioned name ("tenon.attention/1"), or null. The pointer is to that
  // very interface class (cast in the component, see Offer), owned by the component. Pure; any
  // thread.
  virtual void* Query(const char* interface_name) noexcept = 0;

 protected:
  ~Component() = default;
};

// What a component is made from. `device` is null for devices, and for families that hold no
// memory.
struct CreateArgs {
  Host* host = nullptr;
  Options options;
  Device* device = nullptr;
};

// Asks `component` for the interface T (T::kName); null where it does not offer it.
template <typename T>
T* QueryFor(Component& component) {
  return static_cast<T*>(component.Query(T::kName));
}

// For a component's Query: `return Offer<Attention>(this, name);`. Several: Offer<A, B>(this,
// name).
template <typename... Interfaces, typename Self>
void* Offer(Self* self, const char* name) {
  void* found = nullptr;
  ((found == nullptr && std::strcmp(name, Interfaces::kName) == 0
        ? void(found = static_cast<Interfaces*>(self))
        : void()),
   ...);
  return found;
}

}  // namespace tenon
