// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "kernels/cpu/isa.h"
#include "kernels/cpu/norm.h"
#include "plugins/quant/common/weight_arena.h"
#include "tenon/op.h"
#include "tenon/ops.h"

namespace tenon::quant {

// Whether these are an RMSNorm of whole rows of `columns`, with a weight that can be read.
bool IsRowNorm(const RmsNormParams& params, const Weight& weight, int64_t columns);

// RMSNorm of whole rows: the device's kernel, on the device's weights.
class RowNorm {
 public:
  // kOutOfMemory where there is no room for the weight; adds its bytes to *bytes. REQUIRES:
  // IsRowNorm.
  Status Load(cpu::Isa isa, WeightArena& arena, const RmsNormParams& params, const Weight& weight,
              uint64_t* bytes);

  // out may be x.
  void Run(const float* x, float* out) const noexcept {
    function_(x, 1, columns_, weight_, epsilon_, out);
  }

 private:
  cpu::RmsNormFunction function_ = nullptr;
  const float* weight_ = nullptr;  // [columns], the offset added
  int64_t columns_ = 0;
  float epsilon_ = 0;
};

}  // namespace tenon::quant
