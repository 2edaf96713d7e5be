// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>

#include "kernels/cpu/activation.h"
#include "kernels/cpu/int8_activations.h"
#include "kernels/cpu/int8_panels.h"
#include "kernels/cpu/isa.h"
#include "plugins/quant/common/linear_spec.h"
#include "plugins/quant/common/weight_arena.h"
#include "plugins/quant/native/linear_parts.h"
#include "plugins/quant/native/pieces.h"
#include "plugins/quant/native/row_norm.h"
#include "plugins/quant/native/workspace.h"
#include "tenon/device.h"
#include "tenon/host.h"
#include "tenon/op.h"
#include "tenon/ops.h"

namespace tenon::quant {

// A linear together with the ops before and behind it, with the bits that they give apart:
//   z[t] = x[t], or norm(x[t]), or norm(base[t] + post_norm(x[t]));   y[t] = z[t] · Wᵀ (+ bias)
//   out[t] = y[t] (+ residual[t]), or with has_glu activation(gate half of y[t]) * up half of y[t]
// inputs: {x, residual if any, base if has_post_norm}; outputs: {out, base if has_post_norm}.
// weights: those of the linear, then norm's, then post_norm's. All matrices can be packed.
// With rounded_x, x is what a linear with rounded_out wrote: a row of Int8Blocks, as bytes.
// base[t] becomes base[t] + post_norm(x[t]), but for few rows, where late_add does it afterwards:
// every lane then norms all rows for itself, so that none may write what the others read.
inline constexpr const char* kFusedLinear = "fused_linear";
struct FusedLinearParams {
  LinearParams linear;
  uint32_t has_norm;       // each 0 or 1
  uint32_t has_post_norm;  // only with has_norm
  uint32_t has_glu;        // only with two matrices of one type, of as many rows, without residual
  uint32_t rounded_x;      // only without has_norm
  uint32_t rounded_out;    // only with has_glu
  RmsNormParams norm, post_norm;
  GluParams glu;
};

// Of a value in Int8Blocks: stored as i8, with so many columns a value.
inline constexpr int32_t kRoundedBytes = sizeof(cpu::Int8Block) / cpu::kInt8BlockValues;

class FusedLinear final : public Op {
 public:
  FusedLinear(Device& device, WeightArena& arena, NativeWorkspace& workspace, cpu::Isa isa)
      : workspace_(workspace), isa_(isa), parts_(device, arena, isa), arena_(arena) {}
  FusedLinear(const FusedLinear&) = delete;
  FusedLinear& operator=(const FusedLinear&) = delete;

  // Checks the spec, packs its matrices and makes room in the workspace; adds to the bytes of
  // `planned`. Fails after Host::Fail.
  Status Load(Host& host, const OpSpec& spec, PlannedOp* planned);

  void Run(const Batch& batch, const Lane& lane) noexcept override;

 private:
  static constexpr int64_t kUnitColumns = LinearParts::kUnitPanels * cpu::kInt8PanelRows;

  Status ReadSpec(Host& host, const OpSpec& spec);
  const cpu::Int8Block* Inputs(int32_t rows, const Lane& lane) noexcept;
  void MultiplyGlu(const GridPiece& piece, const cpu::Int8Block* quantized,
                   float* scratch) const noexcept;
  void Activate(int64_t unit, int64_t first_row, int64_t end_row, float* scratch) const noexcept;

  NativeWorkspace& workspace_;
  cpu::Isa isa_;
  LinearParts parts_;
  WeightArena& arena_;
  FusedLinearParams params_{};
  int64_t k_ = 0;
  Buffer x_{}, out_{}, residual_{}, base_{};
  RowNorm norm_{}, post_norm_{};
  cpu::GluFunction glu_ = nullptr;
};

}  // namespace tenon::quant
