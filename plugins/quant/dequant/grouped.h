// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/cpu/isa.h"
#include "plugins/quant/common/expert_order.h"
#include "plugins/quant/common/grouped_rows.h"
#include "plugins/quant/common/weight_arena.h"
#include "tenon/device.h"
#include "tenon/op.h"

namespace tenon::quant {

// The products of a step's tokens with the matrices of their experts (kGroupedLinear), each matrix
// dense, of f32 or bf16. Lanes claim pieces of an expert's panels.
class DequantGrouped final : public Op {
 public:
  DequantGrouped(Device& device, WeightArena& arena, cpu::Isa isa, DType type)
      : device_(device), arena_(arena), isa_(isa), type_(type) {}
  DequantGrouped(const DequantGrouped&) = delete;
  DequantGrouped& operator=(const DequantGrouped&) = delete;

  // kOutOfMemory if there is no room; sets the bytes of *planned.
  Status Load(const GroupedSpec& spec, PlannedOp* planned);

  void Run(const Batch& batch, const Lane& lane) noexcept override;

 private:
  struct Matrix {
    GroupedMatrix shape;     // without its weights, which only Plan sees
    int64_t first_panel;     // counted over all matrices
    const uint8_t* weights;  // [experts, rows, k]
    const float* biases;     // [experts, rows], or null
  };

  Status LoadMatrix(const GroupedMatrix& matrix, uint64_t* bytes);
  void Multiply(const ExpertPiece& piece, float* scratch) noexcept;
  int64_t row_bytes() const { return buffers_.k * Layout(type_).block_bytes; }

  Device& device_;
  WeightArena& arena_;
  cpu::Isa isa_;
  DType type_;
  GroupedBuffers buffers_{};
  int64_t panels_ = 0;  // of one expert
  std::vector<Matrix> matrices_;
  std::vector<GroupedMatrix> shapes_;
  uint64_t lane_bytes_ = 0;
  uint64_t order_bytes_ = 0;
  char* scratch_ = nullptr;  // [lanes, lane_bytes]: a lane's order, then its kernel's scratch
};

}  // namespace tenon::quant
