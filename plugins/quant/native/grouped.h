// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/cpu/int8_activations.h"
#include "kernels/cpu/isa.h"
#include "plugins/quant/common/expert_order.h"
#include "plugins/quant/common/grouped_rows.h"
#include "plugins/quant/common/weight_arena.h"
#include "plugins/quant/native/workspace.h"
#include "tenon/device.h"
#include "tenon/op.h"

namespace tenon::quant {

// The products of a step's tokens with the matrices of their experts (kGroupedLinear). Every lane
// sorts the (token, slot) pairs by expert for itself; lanes claim pieces of an expert's panels. The
// bits of a row depend neither on lanes nor on the rows beside it.
class NativeGrouped final : public Op {
 public:
  NativeGrouped(Device& device, WeightArena& arena, NativeWorkspace& workspace, cpu::Isa isa)
      : device_(device), arena_(arena), workspace_(workspace), isa_(isa) {}
  NativeGrouped(const NativeGrouped&) = delete;
  NativeGrouped& operator=(const NativeGrouped&) = delete;

  // Packs the block types without scales if `pack`, on all threads of the device; of all other
  // experts no value is read before they are routed to. `count_stored` counts those too as bytes of
  // weights. kOutOfMemory if there is no room. Adds to *bytes.
  Status Load(const GroupedSpec& spec, bool pack, bool count_stored, uint64_t* bytes);

  // Makes room in the workspace for what Run needs. kOutOfMemory if there is none; adds to *bytes.
  Status Reserve(uint64_t* bytes);

  void Run(const Batch& batch, const Lane& lane) noexcept override;

 private:
  // One expert's matrix: its stored rows, or its panels.
  struct Part {
    ExactPart stored;  // bias also of a packed one
    const uint8_t* panels = nullptr;
  };
  struct Matrix {
    GroupedMatrix shape;      // without its weights, which only Plan sees
    int64_t first_panel;      // counted over all matrices
    std::vector<Part> parts;  // [experts]
  };

  Status Pack(const GroupedMatrix& matrix, std::vector<Part>& parts, uint64_t* bytes);
  Status LoadBiases(const GroupedMatrix& matrix, std::vector<Part>& parts, uint64_t* bytes);
  void Multiply(const ExpertPiece& piece, const cpu::Int8Block* quantized, float* scratch) noexcept;
  void MultiplyPacked(const Matrix& matrix, const Part& part, PartRows part_rows,
                      Span<const RoutedRow> rows, const cpu::Int8Block* quantized) noexcept;

  Device& device_;
  WeightArena& arena_;
  NativeWorkspace& workspace_;
  cpu::Isa isa_;
  GroupedBuffers buffers_{};
  bool any_packed_ = false;
  bool any_stored_ = false;
  int64_t panels_ = 0;  // of one expert
  std::vector<Matrix> matrices_;
  std::vector<GroupedMatrix> shapes_;
};

}  // namespace tenon::quant
