// SPDX-License-Identifier: Apache-2.0
#include "plugins/quant/native/linear.h"

#include <algorithm>

#include "kernels/cpu/exact_gemm.h"
#include "kernels/cpu/int8_gemm.h"
#include "plugins/quant/native/quantize.h"

namespace tenon::quant {
namespace {

// What every thread needs to pack panels of one matrix.
struct PackJob {
  const Weight* weight;
  int64_t panel_rows;
  int64_t panel_bytes;
  uint8_t* panels;
};

void PackOne(void* context, int64_t panel) noexcept {
  const PackJob& job = *static_cast<const PackJob*>(context);
  const Tensor& w = job.weight->tensor;
  const int64_t row = panel * job.panel_rows;
  cpu::PackInt8Panel(w.dtype, static_cast<const uint8_t*>(w.data) + row * job.weight->row_bytes,
                     job.weight->row_bytes, std::min(job.panel_rows, w.rows - row), w.columns,
                     job.panels + panel * job.panel_bytes);
}

int64_t DivideUp(int64_t a, int64_t b) { return (a + b - 1) / b; }

}  // namespace

Status NativeLinear::PackPart(const LinearMatrix& matrix, Part* part, uint64_t* bytes) {
  const int64_t k = matrix.weight.tensor.columns;
  part->panel_rows = cpu::kInt8PanelRows;
  part->panel_bytes = cpu::Int8PanelBytes(part->type, k);
  const int64_t panels = DivideUp(part->rows, part->panel_rows);
  const uint64_t size = static_cast<uint64_t>(panels * part->panel_bytes);
  void* memory = arena_.Allocate(size, bytes);
  if (memory == nullptr) return Status::kOutOfMemory;
  PackJob job{&matrix.weight, part->panel_rows, part->panel_bytes, static_cast<uint8_t*>(memory)};
  device_.ParallelFor(panels, PackOne, &job);
  part->data = memory;
  part->packed = true;
  return Status::kOk;
}

Status NativeLinear::Load(const LinearSpec& spec, bool int8, uint64_t* bytes) {
  x_ = spec.x;
  out_ = spec.out;
  has_residual_ = spec.residual != nullptr;
  if (has_residual_) residual_ = *spec.residual;
  k_ = spec.k;
  for (const LinearMatrix& matrix : spec.matrices) {
    const Tensor& w = matrix.weight.tensor;
    Part part{w.dtype,
              false,
              w.data,
              matrix.weight.row_bytes,
              0,
              cpu::kExactPanelRows,
              w.rows,
              panels_,
              matrix.first_column,
              nullptr,
              ScalesOf(matrix.weight)};
    if (int8 && part.scales.data == nullptr && cpu::CanPackInt8(w.dtype)) {
      if (Status status = PackPart(matrix, &part, bytes); status != Status::kOk) return status;
      any_packed_ = true;
    } else {
      any_plain_ = true;
      *bytes += BytesOf(w.dtype, static_cast<uint64_t>(w.rows * w.columns));
    }
    if (matrix.bias != nullptr) {
      const uint64_t size = static_cast<uint64_t>(w.rows) * sizeof(float);
      float* bias = static_cast<float*>(arena_.Allocate(size, bytes));
      if (bias == nullptr) return Status::kOutOfMemory;
      CopyBias(*matrix.bias, bias);
      part.bias = bias;
    }
    panels_ += DivideUp(part.rows, part.panel_rows);
    parts_.push_back(part);
  }
  return Status::kOk;
}

Status NativeLinear::Reserve(uint64_t* bytes) {
  return workspace_.Reserve(k_, x_.max_rows, any_packed_, any_plain_, bytes);
}

void NativeLinear::Multiply(int64_t first, int64_t end, int64_t rows,
                            const cpu::Int8Block* quantized, void* scratch) noexcept {
  const int64_t out_stride = out_.row_bytes / int64_t{sizeof(float)};
  const int64_t residual_stride = residual_.row_bytes / int64_t{sizeof(float)};
  for (const Part& part : parts_) {
    const int64_t panels = DivideUp(part.rows, part.panel_rows);
    const int64_t from = std::max(first - part.first_panel, int64_t{0});
    const int64_t to = std::min(end - part.first_panel, panels);
    if (from >= to) continue;
    const int64_t row = from * part.panel_rows;
    const int64_t count = std::min(to * part.panel_rows, part.rows) - row;
    const int64_t column = part.first_column + row;
    const cpu::Epilogue epilogue{
        static_cast<float*>(out_.data) + column, out_stride,
        part.bias == nullptr ? nullptr : part.bias + row,
        has_residual_ ? static_cast<const float*>(residual_.data) + column : nullptr,
        residual_stride};
    const uint8_t* data = static_cast<const uint8_t*>(part.data);
    if (part.packed) {
      cpu::RunInt8Gemm(
          isa_, {part.type, data + from * part.panel_bytes, count, k_, quantized, rows, epilogue});
    } else {
      cpu::ExactGemm gemm{static_cast<const float*>(x_.data),
                          x_.row_bytes / int64_t{4},
                          rows,
                          part.type,
                          data + row * part.row_bytes,
                          part.row_bytes,
                          count,
                          k_,
                          epilogue,
                          static_cast<float*>(scratch)};
      gemm.scales = part.scales;
      gemm.scales.first_row = row;
      cpu::RunExactGemm(isa_, gemm);
    }
  }
}

void NativeLinear::Run(const Batch& batch, const Lane& lane) noexcept {
  const int32_t rows = RowCount(batch, x_.rows);
  if (rows == 0) return;
  const cpu::Int8Block* quantized = nullptr;
  if (any_packed_) {
    quantized = QuantizeRows(workspace_, isa_, {x_.data, x_.row_bytes, rows, 1, k_}, lane);
  }
  void* scratch = workspace_.lane_scratch[static_cast<size_t>(lane.index)];
  // Small pieces, so that a lane that lost its core does not hold up the others; at few rows a
  // piece must still outweigh its claim.
  const int64_t shares = rows <= 16 ? 8 : 32;
  const int64_t piece = std::max(panels_ / (lane.count * shares), int64_t{1});
  for (int64_t first = lane.Claim() * piece; first < panels_; first = lane.Claim() * piece) {
    Multiply(first, std::min(first + piece, panels_), rows, quantized, scratch);
  }
}

}  // namespace tenon::quant
