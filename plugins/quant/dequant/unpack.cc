// SPDX-License-Identifier: Apache-2.0
#include "plugins/quant/dequant/unpack.h"

#include <algorithm>

#include "kernels/cpu/dequantize.h"
#include "plugins/quant/common/stored_weight.h"

namespace tenon::quant {
namespace {

// Values [first, first + count) of a row, as f32; first is a multiple of the type's block.
void UnpackValues(const UnpackJob& job, const Weight& weight, int64_t row, int64_t first,
                  int64_t count, float* out) {
  const Tensor& w = weight.tensor;
  const uint8_t* stored = static_cast<const uint8_t*>(w.data) + row * weight.row_bytes +
                          BytesOf(w.dtype, static_cast<uint64_t>(first));
  cpu::Dequantize(job.isa, w.dtype, stored, count, out);
  const cpu::BlockScales scales = ScalesOf(weight);
  if (scales.data != nullptr) cpu::ScaleRow(job.isa, scales, row, first, count, out);
}

// Row i over all matrices.
void UnpackRow(void* context, int64_t i) noexcept {
  const UnpackJob& job = *static_cast<const UnpackJob*>(context);
  const int64_t rows = job.weights[0].tensor.rows, columns = job.weights[0].tensor.columns;
  const Weight& weight = job.weights[static_cast<uint64_t>(i / rows)];
  uint8_t* out = job.out + i * columns * Layout(job.type).block_bytes;
  if (job.type == DType::kF32) {
    return UnpackValues(job, weight, i % rows, 0, columns, reinterpret_cast<float*>(out));
  }
  constexpr int64_t kRun = 256;  // a multiple of every type's block
  float values[kRun];
  for (int64_t first = 0; first < columns; first += kRun) {
    const int64_t count = std::min(kRun, columns - first);
    UnpackValues(job, weight, i % rows, first, count, values);
    cpu::ConvertToBf16(job.isa, values, count, reinterpret_cast<uint16_t*>(out) + first);
  }
}

}  // namespace

void Unpack(Device& device, const UnpackJob& job) {
  UnpackJob mutable_job = job;
  const int64_t rows = job.weights[0].tensor.rows;
  device.ParallelFor(rows * static_cast<int64_t>(job.weights.size), UnpackRow, &mutable_job);
}

}  // namespace tenon::quant
