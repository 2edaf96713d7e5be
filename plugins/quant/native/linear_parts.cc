// SPDX-License-Identifier: Apache-2.0
#include "plugins/quant/native/linear_parts.h"

#include <algorithm>
#include <cstring>

#include "kernels/cpu/int8_gemm.h"
#include "plugins/quant/native/pieces.h"

namespace tenon::quant {
namespace {

int64_t DivideUp(int64_t a, int64_t b) { return (a + b - 1) / b; }

// What every thread needs to pack panels.
struct PackJob {
  const std::vector<Weight>* weights;
  int64_t panel_bytes;
  uint8_t* panels;
};

void PackOne(void* context, int64_t panel) noexcept {
  const PackJob& job = *static_cast<const PackJob*>(context);
  const int64_t matrices = static_cast<int64_t>(job.weights->size());
  const int64_t unit = panel / LinearParts::kUnitPanels;
  const int64_t own = unit / matrices * LinearParts::kUnitPanels + panel % LinearParts::kUnitPanels;
  const Weight& weight = (*job.weights)[static_cast<size_t>(unit % matrices)];
  const Tensor& w = weight.tensor;
  const int64_t row = own * cpu::kInt8PanelRows;
  cpu::PackInt8Panel(w.dtype, static_cast<const uint8_t*>(w.data) + row * weight.row_bytes,
                     weight.row_bytes, std::min(cpu::kInt8PanelRows, w.rows - row), w.columns,
                     job.panels + panel * job.panel_bytes);
}

}  // namespace

ProductRows RowRun(const ProductRows& all, int64_t first, int64_t end, int64_t k) {
  ProductRows run = all;
  run.rows = end - first;
  run.quantized += first * cpu::Int8Blocks(k);
  run.x += first * all.x_stride;
  run.out.out += first * all.out.out_stride;
  if (run.out.residual != nullptr) run.out.residual += first * all.out.residual_stride;
  return run;
}

Status LinearParts::Pack(const std::vector<Weight>& weights, Part* part, uint64_t* bytes) {
  const int64_t k = weights.front().tensor.columns;
  part->panel_rows = cpu::kInt8PanelRows;
  part->panel_bytes = cpu::Int8PanelBytes(part->type, k);
  const int64_t panels = DivideUp(part->rows, part->panel_rows);
  void* memory = arena_.Allocate(static_cast<uint64_t>(panels * part->panel_bytes), bytes);
  if (memory == nullptr) return Status::kOutOfMemory;
  PackJob job{&weights, part->panel_bytes, static_cast<uint8_t*>(memory)};
  device_.ParallelFor(panels, PackOne, &job);
  part->data = memory;
  part->packed = true;
  any_packed_ = true;
  return Status::kOk;
}

Status LinearParts::LoadBiases(const std::vector<const Weight*>& biases, Part* part,
                               uint64_t* bytes) {
  const uint64_t size = static_cast<uint64_t>(part->rows) * sizeof(float);
  float* out = static_cast<float*>(arena_.Allocate(size, bytes));
  if (out == nullptr) return Status::kOutOfMemory;
  part->bias = out;
  if (biases.size() == 1) {
    CopyBias(*biases.front(), out);
    return Status::kOk;
  }
  const int64_t run = kUnitPanels * cpu::kInt8PanelRows;
  const int64_t stride = run * static_cast<int64_t>(biases.size());
  for (size_t m = 0; m < biases.size(); ++m) {
    std::vector<float> values(static_cast<size_t>(biases[m]->tensor.columns));
    CopyBias(*biases[m], values.data());
    for (int64_t i = 0; i < static_cast<int64_t>(values.size()); ++i) {
      const int64_t at = i / run * stride + static_cast<int64_t>(m) * run + i % run;
      out[at] = values[static_cast<size_t>(i)];
    }
  }
  return Status::kOk;
}

Status LinearParts::Load(const LinearSpec& spec, bool int8, uint64_t* bytes) {
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
    Status status = Status::kOk;
    if (int8 && part.scales.data == nullptr && cpu::CanPackInt8(w.dtype)) {
      status = Pack({matrix.weight}, &part, bytes);
    } else {
      any_plain_ = true;
      *bytes += BytesOf(w.dtype, static_cast<uint64_t>(w.rows * w.columns));
    }
    if (status == Status::kOk && matrix.bias != nullptr) {
      status = LoadBiases({matrix.bias}, &part, bytes);
    }
    if (status != Status::kOk) return status;
    panels_ += DivideUp(part.rows, part.panel_rows);
    bytes_ += static_cast<int64_t>(BytesOf(w.dtype, static_cast<uint64_t>(w.rows * w.columns)));
    parts_.push_back(part);
  }
  return Status::kOk;
}

Status LinearParts::LoadInterleaved(const LinearSpec& spec, uint64_t* bytes) {
  k_ = spec.k;
  std::vector<Weight> weights;
  std::vector<const Weight*> biases;
  Part part{};
  for (const LinearMatrix& matrix : spec.matrices) {
    weights.push_back(matrix.weight);
    if (matrix.bias != nullptr) biases.push_back(matrix.bias);
    part.rows += matrix.weight.tensor.rows;
  }
  part.type = weights.front().tensor.dtype;
  Status status = Pack(weights, &part, bytes);
  if (status == Status::kOk && !biases.empty()) status = LoadBiases(biases, &part, bytes);
  panels_ = DivideUp(part.rows, cpu::kInt8PanelRows);
  bytes_ = panels_ * part.panel_bytes;
  parts_.push_back(part);
  return status;
}

const void* LinearParts::PanelAt(int64_t n) const noexcept {
  for (const Part& part : parts_) {
    const int64_t inside = n - part.first_panel;
    if (!part.packed || inside < 0 || inside >= DivideUp(part.rows, part.panel_rows)) continue;
    return static_cast<const uint8_t*>(part.data) + inside * part.panel_bytes;
  }
  return nullptr;
}

void LinearParts::Multiply(int64_t first, int64_t end, int64_t next,
                           const ProductRows& product) const noexcept {
  for (const Part& part : parts_) {
    const int64_t panels = DivideUp(part.rows, part.panel_rows);
    const int64_t from = std::max(first - part.first_panel, int64_t{0});
    const int64_t to = std::min(end - part.first_panel, panels);
    if (from >= to) continue;
    const int64_t row = from * part.panel_rows;
    const int64_t count = std::min(to * part.panel_rows, part.rows) - row;
    const int64_t column = part.first_column + row;
    cpu::Epilogue out = product.out;
    out.out += column - product.out_column;
    out.bias = part.bias == nullptr ? nullptr : part.bias + row;
    if (out.residual != nullptr) out.residual += column;
    const uint8_t* data = static_cast<const uint8_t*>(part.data);
    if (part.packed) {
      cpu::Int8Gemm gemm{
          part.type, data + from * part.panel_bytes, count, k_, product.quantized, product.rows,
          out};
      gemm.next =
          PanelAt(to == panels && part.first_panel + to < end ? part.first_panel + to : next);
      cpu::RunInt8Gemm(isa_, gemm);
    } else {
      cpu::ExactGemm gemm{product.x,
                          product.x_stride,
                          product.rows,
                          part.type,
                          data + row * part.row_bytes,
                          part.row_bytes,
                          count,
                          k_,
                          out,
                          product.scratch};
      gemm.scales = part.scales;
      gemm.scales.first_row = row;
      cpu::RunExactGemm(isa_, gemm);
    }
  }
}

// What is not packed is unpacked anew in every call, and goes with all rows at once.
void LinearParts::MultiplyShare(const Lane& lane, const ProductRows& product) const noexcept {
  const int64_t unit = product.rows > kUnitRows ? kUnitPanels : 1;
  const int64_t units = DivideUp(panels_, unit);
  const int64_t piece = PieceOf(lane, units, unit * panel_bytes(), product.rows);
  if (any_plain_) {
    return SharePieces(lane, units, piece, [&](int64_t first, int64_t end, int64_t next) {
      Multiply(first * unit, end * unit, next * unit, product);
    });
  }
  ShareGrid(lane, units, product.rows, piece, [&](const GridPiece& at) {
    Multiply(at.first * unit, at.end * unit, at.next * unit,
             RowRun(product, at.first_row, at.end_row, k_));
  });
}

}  // namespace tenon::quant
