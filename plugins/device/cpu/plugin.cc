// SPDX-License-Identifier: Apache-2.0
#include "tenon/plugin.h"

#include "plugins/device/cpu/cpu_device.h"

namespace {

constexpr tenon::OptionInfo kOptions[] = {
    {"threads", tenon::OptionType::kString, "auto",
     "Threads that compute, the calling one included: a number, or auto for one a physical core "
     "that the process may use."},
    {"pin", tenon::OptionType::kBool, "false",
     "Binds every thread but the calling one to a processor of its own."},
};

constexpr tenon::ComponentInfo kCpu = tenon::Describe<tenon::cpu::CpuDevice>(
    tenon::Family::kDevice, "cpu", "The processor, all threads walking the Program together.", 100,
    tenon::Claim(tenon::Capability::kDeviceCpu), kOptions);

}  // namespace

TENON_PLUGIN("tenon.device.cpu", "0.1.0", "Apache-2.0", &kCpu);
