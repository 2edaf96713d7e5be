// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/cpu/isa.h"
#include "plugins/quant/common/linear_spec.h"
#include "plugins/quant/common/weight_arena.h"
#include "plugins/quant/native/workspace.h"
#include "tenon/device.h"
#include "tenon/op.h"

namespace tenon::quant {

// out = x · Wᵀ (+ bias) (+ residual) for stacked matrices. The output columns are cut into pieces
// of whole panels that lanes claim; the bits of a value depend neither on lanes nor on the batch.
class NativeLinear final : public Op {
 public:
  NativeLinear(Device& device, WeightArena& arena, NativeWorkspace& workspace, cpu::Isa isa)
      : device_(device), arena_(arena), workspace_(workspace), isa_(isa) {}
  NativeLinear(const NativeLinear&) = delete;
  NativeLinear& operator=(const NativeLinear&) = delete;

  // Packs what is to be multiplied in integers (block types without scales), on all threads of the
  // device, and copies biases. kOutOfMemory if there is no room. Adds the weights' bytes to *bytes.
  Status Load(const LinearSpec& spec, bool int8, uint64_t* bytes);

  // Makes room in the workspace for what Run needs. kOutOfMemory if there is none; adds to *bytes.
  Status Reserve(uint64_t* bytes);

  void Run(const Batch& batch, const Lane& lane) noexcept override;

 private:
  struct Part {
    DType type;
    bool packed;
    const void* data;     // panels, or the stored rows
    int64_t row_bytes;    // from one stored row to the next
    int64_t panel_bytes;  // of a packed panel
    int64_t panel_rows;
    int64_t rows;
    int64_t first_panel;      // counted over all parts
    int64_t first_column;     // of the output
    const float* bias;        // [rows], or null
    cpu::BlockScales scales;  // never of a packed one
  };

  Status PackPart(const LinearMatrix& matrix, Part* part, uint64_t* bytes);
  // Panels [first, end) of all parts, for all rows of the step.
  void Multiply(int64_t first, int64_t end, int64_t rows, const cpu::Int8Block* quantized,
                void* scratch) noexcept;

  Device& device_;
  WeightArena& arena_;
  NativeWorkspace& workspace_;
  cpu::Isa isa_;
  Buffer x_{}, out_{}, residual_{};
  bool has_residual_ = false;
  bool any_packed_ = false;
  bool any_plain_ = false;
  int64_t k_ = 0;
  int64_t panels_ = 0;
  std::vector<Part> parts_;
};

}  // namespace tenon::quant
