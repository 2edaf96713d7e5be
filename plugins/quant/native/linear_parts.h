// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/cpu/epilogue.h"
#include "kernels/cpu/exact_gemm.h"
#include "kernels/cpu/int8_activations.h"
#include "kernels/cpu/isa.h"
#include "plugins/quant/common/linear_spec.h"
#include "plugins/quant/common/weight_arena.h"
#include "tenon/device.h"
#include "tenon/op.h"

namespace tenon::quant {

// Rows to multiply, and where the product goes.
struct ProductRows {
  int64_t rows;
  const cpu::Int8Block* quantized;  // [rows, k / 32], for packed matrices
  const float* x;                   // [rows, k], for the others
  int64_t x_stride;                 // floats
  cpu::Epilogue out;                // without biases
  int64_t out_column;               // where `out` begins; its residual begins with column 0
  float* scratch;                   // of the lane
};

// Rows [first, end) of `all`, whose inputs are k wide.
ProductRows RowRun(const ProductRows& all, int64_t first, int64_t end, int64_t k);

// The stacked matrices of one linear, ready to be multiplied. The output columns are counted in
// panels of 16, each matrix beginning with one of its own; the bits of a value do not depend on how
// the panels or the rows are cut among calls.
class LinearParts {
 public:
  // Panels of one matrix that lie together where two of them are interleaved: 32 columns.
  static constexpr int64_t kUnitPanels = 2;

  LinearParts(Device& device, WeightArena& arena, cpu::Isa isa)
      : device_(device), arena_(arena), isa_(isa) {}
  LinearParts(const LinearParts&) = delete;
  LinearParts& operator=(const LinearParts&) = delete;

  // Packs what is to be multiplied in integers (with int8: block types without scales), on all
  // threads of the device, and copies biases. kOutOfMemory if there is no room. Adds the weights'
  // bytes to *bytes.
  Status Load(const LinearSpec& spec, bool int8, uint64_t* bytes);

  // Packs two matrices of one type and of the same rows, a multiple of 32, as one: in turn
  // kUnitPanels of the first and as many of the second. As Load. REQUIRES: they can be packed.
  Status LoadInterleaved(const LinearSpec& spec, uint64_t* bytes);

  int64_t panels() const { return panels_; }
  int64_t panel_bytes() const { return panels_ > 0 ? bytes_ / panels_ : 0; }  // of weights, a mean
  bool any_packed() const { return any_packed_; }
  bool any_plain() const { return any_plain_; }

  // Panels [first, end) of all matrices, while packed panel `next` and those behind it are fetched.
  // Any thread.
  void Multiply(int64_t first, int64_t end, int64_t next,
                const ProductRows& product) const noexcept;

  // This lane's share of all panels.
  void MultiplyShare(const Lane& lane, const ProductRows& product) const noexcept;

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

  // Where packed panel n lies; null where there is no such.
  const void* PanelAt(int64_t n) const noexcept;
  // Packs `weights` in turn, kUnitPanels of each, into a part that has the rows of all.
  Status Pack(const std::vector<Weight>& weights, Part* part, uint64_t* bytes);
  Status LoadBiases(const std::vector<const Weight*>& biases, Part* part, uint64_t* bytes);

  Device& device_;
  WeightArena& arena_;
  cpu::Isa isa_;
  int64_t k_ = 0;
  int64_t panels_ = 0;
  int64_t bytes_ = 0;
  bool any_packed_ = false;
  bool any_plain_ = false;
  std::vector<Part> parts_;
};

}  // namespace tenon::quant
