// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/cpu/isa.h"
#include "plugins/quant/common/weight_arena.h"
#include "plugins/quant/lora/lora_sites.h"
#include "plugins/quant/lora/product.h"
#include "tenon/device.h"
#include "tenon/op.h"

namespace tenon::quant {

// Scratch memory that all ops of one component share: a lane is in one of them at a time. Grows
// while ops are planned.
class LoraWorkspace {
 public:
  // Rows that go through both products together.
  static constexpr int64_t kBlockRows = 32;

  // A lane's own.
  struct Scratch {
    float* y;              // [kBlockRows, ranks]
    int32_t* order;        // [rows]
    int32_t* group;        // [rows]
    int32_t* first_place;  // [groups + 1]
  };

  explicit LoraWorkspace(Device& device) : device_(device) {}
  LoraWorkspace(const LoraWorkspace&) = delete;
  LoraWorkspace& operator=(const LoraWorkspace&) = delete;
  ~LoraWorkspace();

  // Makes room for an op with so many rows a step, adapters, and ranks of one adapter together.
  // kOutOfMemory if there is none; adds the growth to *bytes.
  Status Reserve(int64_t rows, int64_t groups, int64_t ranks, uint64_t* bytes);

  Scratch Of(int32_t lane) const;

 private:
  Device& device_;
  char* memory_ = nullptr;
  int64_t rows_ = 0, groups_ = 0, ranks_ = 0;
  uint64_t lane_bytes_ = 0;
  uint64_t bytes_ = 0;
};

// out[t, columns of a part] += scale · B (A x[t]) for the rows whose sequence chose an adapter. A
// lane does its own rows: it sorts them by adapter, and each adapter's rows go through one product
// with all its A of this linear (the ranks side by side) and one with each B. Chen et al. 2023,
// "Punica"; Sheng et al. 2023, "S-LoRA".
class LoraOp final : public Op {
 public:
  LoraOp(WeightArena& arena, LoraWorkspace& workspace, cpu::Isa isa)
      : arena_(arena), workspace_(workspace), isa_(isa), product_(LoraProductOf(isa)) {}
  LoraOp(const LoraOp&) = delete;
  LoraOp& operator=(const LoraOp&) = delete;

  // Converts and packs the factors; `x` and `out` are f32 and fit the parts. kOutOfMemory if there
  // is no room. Adds to the bytes of *planned.
  Status Load(const std::vector<LoraPart>& parts, const Buffer& x, const Buffer& out,
              PlannedOp* planned);

  void Run(const Batch& batch, const Lane& lane) noexcept override;

 private:
  struct Part {
    const float* b;  // packed [rank, rows], times the scale
    int64_t rank;
    int64_t first_rank;  // in a row of y
    int64_t rows;        // columns of the output
    int64_t first_column;
  };
  struct Group {               // what one adapter does here
    const float* a = nullptr;  // packed [inputs, ranks]
    int64_t ranks = 0;
    std::vector<Part> parts;
  };

  bool PackA(const std::vector<const LoraPart*>& parts, Group* group, uint64_t* bytes);
  const float* PackB(const LoraPart& part, uint64_t* bytes);
  // The group of row `row`, or -1.
  int32_t GroupOf(const Batch& batch, int32_t row) const noexcept;
  // Fills order and first_place: the rows of group g are order[first_place[g], first_place[g + 1]).
  void Sort(const Batch& batch, RowRange range, const LoraWorkspace::Scratch& scratch) noexcept;
  void Apply(const Group& group, const int32_t* rows, int64_t count, float* y) noexcept;

  WeightArena& arena_;
  LoraWorkspace& workspace_;
  cpu::Isa isa_;
  LoraProductFunction product_;
  Buffer x_{}, out_{};
  std::vector<int32_t> group_of_;  // by adapter number; -1: nothing here
  std::vector<Group> groups_;
};

}  // namespace tenon::quant
