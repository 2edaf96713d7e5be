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

// Calls round(i, out) for `inputs` inputs of k columns; returns [inputs, k / 32], this lane's view
// of what it wrote. A few inputs are rounded by every lane for itself; of more, every lane rounds
// those of RowsOf, and the lanes meet. REQUIRES: the workspace has room for them.
template <typename Round>
const cpu::Int8Block* RoundInputs(NativeWorkspace& workspace, int32_t inputs, int64_t k,
                                  const Lane& lane, Round round) noexcept {
  const bool own = inputs <= NativeWorkspace::kFewRows;
  cpu::Int8Block* out =
      own ? workspace.lane_rows[static_cast<size_t>(lane.index)] : workspace.TakeShared(lane.index);
  const RowRange range = own ? RowRange{0, inputs} : RowsOf(lane, inputs);
  for (int32_t i = range.begin; i < range.end; ++i) round(i, out + i * cpu::Int8Blocks(k));
  if (!own) lane.Meet();
  return out;
}

// The same for inputs as they are.
const cpu::Int8Block* QuantizeRows(NativeWorkspace& workspace, cpu::Isa isa, const InputRows& input,
                                   const Lane& lane) noexcept;

}  // namespace tenon::quant
