// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

#include "kernels/cpu/isa.h"
#include "tenon/device.h"

namespace tenon::quant {

// The level that a CPU device runs at, so that a forced one holds for `component` too. Throws
// std::runtime_error, for a constructor, where the device is no CPU or runs at a level unknown
// here.
inline cpu::Isa IsaOfDevice(const DeviceInfo& info, const char* component) {
  const std::string kind(std::string_view(info.kind)), isa(std::string_view(info.isa));
  if (kind != "cpu") {
    throw std::runtime_error(std::string(component) + " runs on device cpu, not on " + kind);
  }
  const cpu::IsaChoice choice = cpu::ChooseIsa(isa.c_str());
  if (choice.status != Status::kOk) {
    throw std::runtime_error("the device runs at ISA level \"" + isa + "\", which " + component +
                             " does not have on this machine");
  }
  return choice.isa;
}

}  // namespace tenon::quant
