// SPDX-License-Identifier: Apache-2.0
#include "plugins/quant/native/linear.h"

#include "kernels/cpu/exact_gemm.h"
#include "plugins/quant/native/quantize.h"

namespace tenon::quant {

ProductRows ProductInto(const Buffer& out, const Buffer& residual, int64_t rows) {
  ProductRows product{};
  product.rows = rows;
  product.out.out = static_cast<float*>(out.data);
  product.out.out_stride = out.row_bytes / int64_t{sizeof(float)};
  product.out.residual = static_cast<const float*>(residual.data);
  product.out.residual_stride = residual.row_bytes / int64_t{sizeof(float)};
  return product;
}

Status NativeLinear::Load(const LinearSpec& spec, bool int8, uint64_t* bytes) {
  x_ = spec.x;
  out_ = spec.out;
  if (spec.residual != nullptr) residual_ = *spec.residual;
  return parts_.Load(spec, int8, bytes);
}

Status NativeLinear::Reserve(uint64_t* bytes) {
  const int64_t scratch = parts_.any_plain() ? cpu::ExactScratchFloats(x_.columns) : 0;
  return workspace_.Reserve(x_.columns, parts_.any_packed() ? x_.max_rows : 0, scratch, bytes);
}

void NativeLinear::Run(const Batch& batch, const Lane& lane) noexcept {
  const int32_t rows = RowCount(batch, x_.rows);
  if (rows == 0) return;
  ProductRows product = ProductInto(out_, residual_, rows);
  product.x = static_cast<const float*>(x_.data);
  product.x_stride = x_.row_bytes / int64_t{sizeof(float)};
  product.scratch = static_cast<float*>(workspace_.lane_scratch[static_cast<size_t>(lane.index)]);
  if (parts_.any_packed()) {
    product.quantized =
        QuantizeRows(workspace_, isa_, {x_.data, x_.row_bytes, rows, 1, x_.columns}, lane);
  }
  parts_.MultiplyShare(lane, product);
}

}  // namespace tenon::quant
