// SPDX-License-Identifier: Apache-2.0
#include "tenon/plugin.h"

#include "plugins/device/cuda/cuda_device.h"

namespace {

using tenon::OptionInfo;
using tenon::OptionType;

constexpr OptionInfo kOptions[] = {
    {.name = "index",
     .type = OptionType::kInt,
     .default_text = "0",
     .doc = "Which card, as the CUDA driver counts them.",
     .minimum = 0,
     .maximum = 63},
    {.name = "threads",
     .type = OptionType::kString,
     .default_text = "auto",
     .doc = "Host threads for loading and sampling: a number, or auto for one a core."},
};

constexpr tenon::ComponentInfo kCuda = tenon::Describe<tenon::cuda::CudaDevice>(
    tenon::Family::kDevice, "cuda", "An NVIDIA GPU: one stream walks the Program.", 0,
    tenon::Claim(tenon::Capability::kDeviceCuda), kOptions, &tenon::cuda::ProbeCuda);

}  // namespace

TENON_PLUGIN("tenon.device.cuda", "0.1.0", "Apache-2.0", &kCuda);
