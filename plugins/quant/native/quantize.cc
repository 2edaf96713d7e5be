// SPDX-License-Identifier: Apache-2.0
#include "plugins/quant/native/quantize.h"

namespace tenon::quant {

const cpu::Int8Block* QuantizeRows(NativeWorkspace& workspace, cpu::Isa isa, const InputRows& input,
                                   const Lane& lane) noexcept {
  const auto round = [&](int32_t i, cpu::Int8Block* out) {
    const char* row = static_cast<const char*>(input.data) + i / input.runs * input.row_bytes;
    const float* x = reinterpret_cast<const float*>(row) + i % input.runs * input.k;
    cpu::QuantizeInt8(isa, x, input.k, out);
  };
  return RoundInputs(workspace, input.rows * input.runs, input.k, lane, round);
}

}  // namespace tenon::quant
