// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "kernels/cpu/isa.h"
#include "plugins/quant/common/weight_arena.h"
#include "plugins/quant/native/row_norm.h"
#include "plugins/quant/native/workspace.h"
#include "tenon/host.h"
#include "tenon/op.h"

namespace tenon::quant {

// base[t] += norm(x[t]), behind a fused linear that has already used the sum but could not store
// it: a step of few rows, which every lane norms for itself. With more rows there is nothing left
// to do. inputs: {x, base}; outputs: {base}; weights: {norm}; params: RmsNormParams.
inline constexpr const char* kLateAdd = "late_add";

// Whether the sum of a step with `rows` rows is left to late_add.
constexpr bool AddedLate(int32_t rows) { return rows <= NativeWorkspace::kFewRows; }

class LateAdd final : public Op {
 public:
  LateAdd(NativeWorkspace& workspace, cpu::Isa isa) : workspace_(workspace), isa_(isa) {}
  LateAdd(const LateAdd&) = delete;
  LateAdd& operator=(const LateAdd&) = delete;

  // Checks the spec; adds to the bytes of `planned` and sets its split. Fails after Host::Fail.
  Status Load(Host& host, WeightArena& arena, const OpSpec& spec, PlannedOp* planned);

  void Run(const Batch& batch, const Lane& lane) noexcept override;

 private:
  NativeWorkspace& workspace_;
  cpu::Isa isa_;
  RowNorm norm_;
  Buffer x_{}, base_{};
};

}  // namespace tenon::quant
