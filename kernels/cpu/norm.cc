// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/norm.h"

#include "kernels/cpu/norm_levels.h"

namespace tenon::cpu {

RmsNormFunction RmsNormGeneric() { return RmsNorm; }
LayerNormFunction LayerNormGeneric() { return LayerNorm; }

RmsNormFunction RmsNormOf(Isa isa) {
  switch (isa) {
    case Isa::kAvx512:
      return RmsNormAvx512();
    case Isa::kAvx2Vnni:
    case Isa::kAvx2:
      return RmsNormAvx2();
    case Isa::kGeneric:
      break;
  }
  return RmsNormGeneric();
}

LayerNormFunction LayerNormOf(Isa isa) {
  switch (isa) {
    case Isa::kAvx512:
      return LayerNormAvx512();
    case Isa::kAvx2Vnni:
    case Isa::kAvx2:
      return LayerNormAvx2();
    case Isa::kGeneric:
      break;
  }
  return LayerNormGeneric();
}

}  // namespace tenon::cpu
