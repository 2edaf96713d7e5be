// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "kernels/cpu/isa.h"
#include "plugins/quant/common/linear_spec.h"
#include "plugins/quant/common/weight_arena.h"
#include "plugins/quant/native/linear_parts.h"
#include "plugins/quant/native/workspace.h"
#include "tenon/device.h"
#include "tenon/op.h"

namespace tenon::quant {

// out = x · Wᵀ (+ bias) (+ residual) for stacked matrices, in pieces of whole panels that lanes
// claim; the bits of a value depend neither on lanes nor on the batch.
class NativeLinear final : public Op {
 public:
  NativeLinear(Device& device, WeightArena& arena, NativeWorkspace& workspace, cpu::Isa isa)
      : workspace_(workspace), isa_(isa), parts_(device, arena, isa) {}
  NativeLinear(const NativeLinear&) = delete;
  NativeLinear& operator=(const NativeLinear&) = delete;

  // As LinearParts::Load.
  Status Load(const LinearSpec& spec, bool int8, uint64_t* bytes);

  // Makes room in the workspace for what Run needs. kOutOfMemory if there is none; adds to *bytes.
  Status Reserve(uint64_t* bytes);

  void Run(const Batch& batch, const Lane& lane) noexcept override;

 private:
  NativeWorkspace& workspace_;
  cpu::Isa isa_;
  LinearParts parts_;
  Buffer x_{}, out_{}, residual_{};
};

// What a linear over these buffers multiplies, but for its inputs; residual.data may be null.
ProductRows ProductInto(const Buffer& out, const Buffer& residual, int64_t rows);

}  // namespace tenon::quant
