// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "plugins/device/cuda/cuda_device.h"
#include "tenon/ops.h"

namespace tenon::cuda {

// Plans the ops of tenon/ops.h that are the device's, over f32 values. Null after Host::Fail; then
// `status` says why. Weights go to memory of `device` (of embed: as f32).
std::unique_ptr<CudaOp> PlanBaseOp(const OpSpec& spec, Host& host, Device& device,
                                   uint64_t* weight_bytes, Status* status);

}  // namespace tenon::cuda
