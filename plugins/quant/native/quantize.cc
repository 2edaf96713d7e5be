// SPDX-License-Identifier: Apache-2.0
#include "plugins/quant/native/quantize.h"

namespace tenon::quant {

const cpu::Int8Block* QuantizeRows(const NativeWorkspace& workspace, cpu::Isa isa,
                                   const InputRows& input, const Lane& lane) noexcept {
  const int32_t inputs = input.rows * input.runs;
  const bool own = inputs <= NativeWorkspace::kFewRows;
  const bool alone = own || lane.count == 1;
  cpu::Int8Block* out =
      own ? workspace.lane_rows[static_cast<size_t>(lane.index)] : workspace.shared_rows;
  const RowRange range = alone ? RowRange{0, inputs} : RowsOf(lane, inputs);
  // A slower lane may still read what the op before this one put into the shared rows.
  if (!alone) lane.Meet();
  for (int32_t i = range.begin; i < range.end; ++i) {
    const char* row = static_cast<const char*>(input.data) + i / input.runs * input.row_bytes;
    const float* x = reinterpret_cast<const float*>(row) + i % input.runs * input.k;
    cpu::QuantizeInt8(isa, x, input.k, out + i * cpu::Int8Blocks(input.k));
  }
  if (!alone) lane.Meet();
  return out;
}

}  // namespace tenon::quant
