// SPDX-License-Identifier: Apache-2.0
#include "plugins/quant/dequant/grouped.h"

#include <algorithm>

#include "plugins/quant/dequant/unpack.h"

namespace tenon::quant {
namespace {

constexpr int64_t kPanelRows = 2 * cpu::kExactPanelRows;

int64_t DivideUp(int64_t a, int64_t b) { return (a + b - 1) / b; }

uint64_t RoundUp(uint64_t bytes) { return (bytes + 63) / 64 * 64; }

}  // namespace

Status DequantGrouped::LoadMatrix(const GroupedMatrix& matrix, uint64_t* bytes) {
  const int64_t experts = buffers_.experts;
  const uint64_t size = static_cast<uint64_t>(experts * matrix.rows * row_bytes());
  auto* weights = static_cast<uint8_t*>(arena_.Allocate(size, bytes));
  if (weights == nullptr) return Status::kOutOfMemory;
  Unpack(device_, {matrix.weights, isa_, type_, weights});
  float* biases = nullptr;
  if (!matrix.biases.empty()) {
    const uint64_t values = static_cast<uint64_t>(experts * matrix.rows);
    biases = static_cast<float*>(arena_.Allocate(values * sizeof(float), bytes));
    if (biases == nullptr) return Status::kOutOfMemory;
    float* bias = biases;
    for (const Weight& stored : matrix.biases) {
      CopyBias(stored, bias);
      bias += matrix.rows;
    }
  }
  shapes_.push_back({{}, {}, matrix.rows, matrix.first_column});
  matrices_.push_back({shapes_.back(), panels_, weights, biases});
  panels_ += DivideUp(matrix.rows, kPanelRows);
  return Status::kOk;
}

Status DequantGrouped::Load(const GroupedSpec& spec, PlannedOp* planned) {
  buffers_ = spec.buffers;
  const uint64_t lanes = static_cast<uint64_t>(std::max(device_.Info().lanes, 1));
  const uint64_t kernel =
      static_cast<uint64_t>(cpu::ExactScratchFloats(buffers_.k)) * sizeof(float);
  order_bytes_ = RoundUp(ExpertOrderBytes(buffers_, buffers_.x.max_rows));
  lane_bytes_ = order_bytes_ + RoundUp(kernel);
  scratch_ = static_cast<char*>(arena_.Allocate(lanes * lane_bytes_, &planned->scratch_bytes));
  if (scratch_ == nullptr) return Status::kOutOfMemory;
  for (const GroupedMatrix& matrix : spec.matrices) {
    const Status status = LoadMatrix(matrix, &planned->weight_bytes);
    if (status != Status::kOk) return status;
  }
  return Status::kOk;
}

void DequantGrouped::Multiply(const ExpertPiece& piece, float* scratch) noexcept {
  for (const Matrix& matrix : matrices_) {
    const int64_t panels = DivideUp(matrix.shape.rows, kPanelRows);
    const int64_t from = std::max(piece.first_panel - matrix.first_panel, int64_t{0});
    const int64_t to = std::min(piece.end_panel - matrix.first_panel, panels);
    if (from >= to) continue;
    const int64_t row = from * kPanelRows;
    const PartRows part_rows{row, std::min(to * kPanelRows, matrix.shape.rows) - row};
    const int64_t first = piece.expert * matrix.shape.rows;
    const ExactPart part{type_,
                         matrix.weights + first * row_bytes(),
                         row_bytes(),
                         {},
                         matrix.biases == nullptr ? nullptr : matrix.biases + first};
    for (uint64_t i = 0; i < piece.rows.size; i += kRowsAtOnce) {
      const uint64_t count = std::min(piece.rows.size - i, uint64_t{kRowsAtOnce});
      MultiplyExact(isa_, buffers_, matrix.shape, part, part_rows, {piece.rows.data + i, count},
                    scratch);
    }
  }
}

void DequantGrouped::Run(const Batch& batch, const Lane& lane) noexcept {
  const int32_t tokens = RowCount(batch, buffers_.x.rows);
  if (tokens == 0) return;
  char* own = scratch_ + static_cast<uint64_t>(lane.index) * lane_bytes_;
  const ExpertOrder order = SortByExpert(buffers_, tokens, own);
  if (lane.index == 0) ClearUnrouted(buffers_, {shapes_.data(), shapes_.size()}, order);
  float* scratch = reinterpret_cast<float*>(own + order_bytes_);
  ExpertPieces pieces(order, buffers_.experts, panels_, lane);
  for (ExpertPiece piece; pieces.Next(&piece);) Multiply(piece, scratch);
}

}  // namespace tenon::quant
