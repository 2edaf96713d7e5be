// SPDX-License-Identifier: Apache-2.0
#include "plugins/quant/native/grouped.h"

#include <algorithm>

#include "kernels/cpu/int8_gemm.h"
#include "plugins/quant/native/quantize.h"

namespace tenon::quant {
namespace {

// Rows of both kinds of panel.
constexpr int64_t kPanelRows = cpu::kInt8PanelRows;
static_assert(kPanelRows == cpu::kExactPanelRows);

int64_t DivideUp(int64_t a, int64_t b) { return (a + b - 1) / b; }

bool CanPack(const Weight& weight) {
  return weight.scales.data == nullptr && cpu::CanPackInt8(weight.tensor.dtype);
}

// What every thread needs to pack panels of one matrix's experts.
struct PackJob {
  const Weight* weights;
  int64_t panels;                         // of an expert
  std::vector<uint8_t*> first_of_expert;  // null where it is not packed
};

void PackOne(void* context, int64_t i) noexcept {
  const PackJob& job = *static_cast<const PackJob*>(context);
  const int64_t expert = i / job.panels, panel = i % job.panels;
  uint8_t* panels = job.first_of_expert[static_cast<size_t>(expert)];
  if (panels == nullptr) return;
  const Weight& weight = job.weights[expert];
  const Tensor& w = weight.tensor;
  const int64_t row = panel * kPanelRows;
  cpu::PackInt8Panel(w.dtype, static_cast<const uint8_t*>(w.data) + row * weight.row_bytes,
                     weight.row_bytes, std::min(kPanelRows, w.rows - row), w.columns,
                     panels + panel * cpu::Int8PanelBytes(w.dtype, w.columns));
}

}  // namespace

Status NativeGrouped::Pack(const GroupedMatrix& matrix, std::vector<Part>& parts, uint64_t* bytes) {
  const int64_t panels = DivideUp(matrix.rows, kPanelRows);
  std::vector<int64_t> sizes;
  int64_t total = 0;
  for (const Weight& weight : matrix.weights) {
    const Tensor& w = weight.tensor;
    sizes.push_back(CanPack(weight) ? panels * cpu::Int8PanelBytes(w.dtype, w.columns) : 0);
    total += sizes.back();
  }
  if (total == 0) return Status::kOk;
  // In one piece: a block of its own for each would leave much of it unused.
  auto* memory = static_cast<uint8_t*>(arena_.Allocate(static_cast<uint64_t>(total), bytes));
  if (memory == nullptr) return Status::kOutOfMemory;
  PackJob job{matrix.weights.data, panels, {}};
  for (size_t e = 0; e < sizes.size(); ++e) {
    job.first_of_expert.push_back(sizes[e] == 0 ? nullptr : memory);
    parts[e].panels = job.first_of_expert.back();
    memory += sizes[e];
  }
  device_.ParallelFor(panels * static_cast<int64_t>(sizes.size()), PackOne, &job);
  return Status::kOk;
}

Status NativeGrouped::LoadBiases(const GroupedMatrix& matrix, std::vector<Part>& parts,
                                 uint64_t* bytes) {
  if (matrix.biases.empty()) return Status::kOk;
  const uint64_t values = static_cast<uint64_t>(matrix.rows) * parts.size();
  float* bias = static_cast<float*>(arena_.Allocate(values * sizeof(float), bytes));
  if (bias == nullptr) return Status::kOutOfMemory;
  for (size_t e = 0; e < parts.size(); ++e, bias += matrix.rows) {
    CopyBias(matrix.biases[e], bias);
    parts[e].stored.bias = bias;
  }
  return Status::kOk;
}

Status NativeGrouped::Load(const GroupedSpec& spec, bool pack, bool count_stored, uint64_t* bytes) {
  buffers_ = spec.buffers;
  for (const GroupedMatrix& matrix : spec.matrices) {
    std::vector<Part> parts;
    for (const Weight& w : matrix.weights) {
      parts.push_back({{w.tensor.dtype, w.tensor.data, w.row_bytes, ScalesOf(w), nullptr}});
    }
    Status status = pack ? Pack(matrix, parts, bytes) : Status::kOk;
    if (status == Status::kOk) status = LoadBiases(matrix, parts, bytes);
    if (status != Status::kOk) return status;
    for (const Part& part : parts) {
      (part.panels != nullptr ? any_packed_ : any_stored_) = true;
      if (part.panels == nullptr && count_stored) {
        *bytes += BytesOf(part.stored.type, static_cast<uint64_t>(matrix.rows * buffers_.k));
      }
    }
    shapes_.push_back({{}, {}, matrix.rows, matrix.first_column});
    matrices_.push_back({shapes_.back(), panels_, std::move(parts)});
    panels_ += DivideUp(matrix.rows, kPanelRows);
  }
  return Status::kOk;
}

Status NativeGrouped::Reserve(uint64_t* bytes) {
  const int64_t inputs =
      int64_t{buffers_.x.max_rows} * (buffers_.input_by_slot ? buffers_.slots : 1);
  const int64_t scratch = any_stored_ ? cpu::ExactScratchFloats(buffers_.k) : 0;
  const Status status = workspace_.Reserve(buffers_.k, any_packed_ ? inputs : 0, scratch, bytes);
  if (status != Status::kOk) return status;
  return workspace_.ReserveOrder(ExpertOrderBytes(buffers_, buffers_.x.max_rows), bytes);
}

void NativeGrouped::MultiplyPacked(const Matrix& matrix, const Part& part, PartRows part_rows,
                                   Span<const RoutedRow> rows,
                                   const cpu::Int8Block* quantized) noexcept {
  const int64_t blocks = cpu::Int8Blocks(buffers_.k);
  const RowStrides x =
      buffers_.input_by_slot ? RowStrides{buffers_.slots * blocks, blocks} : RowStrides{blocks, 0};
  RowOffsets offsets;
  FindRows(rows, x, OutStrides(buffers_, matrix.shape.rows), &offsets);
  cpu::Int8Gemm gemm{};
  gemm.type = part.stored.type;
  gemm.panels =
      part.panels + part_rows.row / kPanelRows * cpu::Int8PanelBytes(part.stored.type, buffers_.k);
  gemm.rows = part_rows.count;
  gemm.k = buffers_.k;
  gemm.x = quantized;
  gemm.x_offsets = offsets.x;
  gemm.tokens = static_cast<int64_t>(rows.size);
  gemm.epilogue.out =
      static_cast<float*>(buffers_.out.data) + matrix.shape.first_column + part_rows.row;
  gemm.epilogue.out_offsets = offsets.out;
  gemm.epilogue.bias = part.stored.bias == nullptr ? nullptr : part.stored.bias + part_rows.row;
  cpu::RunInt8Gemm(isa_, gemm);
}

void NativeGrouped::Multiply(const ExpertPiece& piece, const cpu::Int8Block* quantized,
                             float* scratch) noexcept {
  for (const Matrix& matrix : matrices_) {
    const int64_t panels = DivideUp(matrix.shape.rows, kPanelRows);
    const int64_t from = std::max(piece.first_panel - matrix.first_panel, int64_t{0});
    const int64_t to = std::min(piece.end_panel - matrix.first_panel, panels);
    if (from >= to) continue;
    const int64_t row = from * kPanelRows;
    const PartRows part_rows{row, std::min(to * kPanelRows, matrix.shape.rows) - row};
    const Part& part = matrix.parts[static_cast<size_t>(piece.expert)];
    for (uint64_t i = 0; i < piece.rows.size; i += kRowsAtOnce) {
      const uint64_t count = std::min(piece.rows.size - i, uint64_t{kRowsAtOnce});
      const Span<const RoutedRow> rows{piece.rows.data + i, count};
      if (part.panels != nullptr) {
        MultiplyPacked(matrix, part, part_rows, rows, quantized);
      } else {
        MultiplyExact(isa_, buffers_, matrix.shape, part.stored, part_rows, rows, scratch);
      }
    }
  }
}

void NativeGrouped::Run(const Batch& batch, const Lane& lane) noexcept {
  const int32_t tokens = RowCount(batch, buffers_.x.rows);
  if (tokens == 0) return;
  const size_t index = static_cast<size_t>(lane.index);
  const ExpertOrder order = SortByExpert(buffers_, tokens, workspace_.lane_order[index]);
  const cpu::Int8Block* quantized = nullptr;
  if (any_packed_) {
    const int32_t runs = buffers_.input_by_slot ? buffers_.slots : 1;
    quantized = QuantizeRows(
        workspace_, isa_, {buffers_.x.data, buffers_.x.row_bytes, tokens, runs, buffers_.k}, lane);
  }
  if (lane.index == 0) ClearUnrouted(buffers_, {shapes_.data(), shapes_.size()}, order);
  float* scratch = static_cast<float*>(workspace_.lane_scratch[index]);
  ExpertPieces pieces(order, buffers_.experts, panels_, lane);
  for (ExpertPiece piece; pieces.Next(&piece);) Multiply(piece, quantized, scratch);
}

}  // namespace tenon::quant
