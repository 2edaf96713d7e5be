// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "kernels/cpu/int8_activations.h"
#include "kernels/cpu/isa.h"
#include "plugins/quant/native/workspace.h"
#include "tenon/op.h"

namespace tenon::quant {

// Rows of f32, each of `runs` inputs of k columns one behind the other.
struct InputRows {
  const void* data;
  int64_t row_bytes;
  int32_t rows;
  int32_t runs;
  int64_t k;  // a multiple of 32
};

// Rounds all rows * runs inputs to int8; returns [rows * runs, k / 32], this lane's view of them.
// Few inputs are rounded by every lane for itself; more are shared, and the lanes meet twice.
// REQUIRES: the workspace has room for rows * runs inputs.
const cpu::Int8Block* QuantizeRows(const NativeWorkspace& workspace, cpu::Isa isa,
                                   const InputRows& input, const Lane& lane) noexcept;

}  // namespace tenon::quant
