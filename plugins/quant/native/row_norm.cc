// SPDX-License-Identifier: Apache-2.0
#include "plugins/quant/native/row_norm.h"

#include <cmath>

#include "kernels/cpu/dequantize.h"

namespace tenon::quant {

bool IsRowNorm(const RmsNormParams& params, const Weight& weight, int64_t columns) {
  const Tensor& w = weight.tensor;
  if (static_cast<uint32_t>(w.dtype) >= kDTypeCount || !cpu::CanDequantize(w.dtype)) return false;
  const auto least = static_cast<int64_t>(BytesOf(w.dtype, static_cast<uint64_t>(columns)));
  return params.group == columns && params.epsilon >= 0 && std::isfinite(params.epsilon) &&
         std::isfinite(params.weight_offset) && w.rows == 1 && w.columns == columns &&
         w.data != nullptr && weight.scales.data == nullptr && weight.row_bytes >= least &&
         columns % Layout(w.dtype).block_values == 0;
}

Status RowNorm::Load(cpu::Isa isa, WeightArena& arena, const RmsNormParams& params,
                     const Weight& weight, uint64_t* bytes) {
  columns_ = weight.tensor.columns;
  epsilon_ = params.epsilon;
  function_ = cpu::RmsNormOf(isa);
  const uint64_t size = static_cast<uint64_t>(columns_) * sizeof(float);
  float* values = static_cast<float*>(arena.Allocate(size, bytes));
  if (values == nullptr) return Status::kOutOfMemory;
  cpu::Dequantize(isa, weight.tensor.dtype, weight.tensor.data, columns_, values);
  for (int64_t i = 0; i < columns_; ++i) values[i] += params.weight_offset;
  weight_ = values;
  return Status::kOk;
}

}  // namespace tenon::quant
