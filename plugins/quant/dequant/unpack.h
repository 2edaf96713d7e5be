// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "kernels/cpu/isa.h"
#include "tenon/device.h"
#include "tenon/op.h"

namespace tenon::quant {

// Some matrices of the same shape, to be unpacked one behind the other.
struct UnpackJob {
  Span<const Weight> weights;
  cpu::Isa isa;
  DType type;    // kF32 or kBF16
  uint8_t* out;  // [weights, rows, columns]
};

// Unpacks all of them, scales included, on all threads of the device.
void Unpack(Device& device, const UnpackJob& job);

}  // namespace tenon::quant
