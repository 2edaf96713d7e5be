// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/norm.h"

#include "kernels/cpu/norm_levels.h"

namespace tenon::cpu {

RmsNormFunction RmsNormGeneric() { return RmsNorm; }

RmsNormFunction RmsNormOf(Isa isa) {
  switch (isa) {
    case Isa::kAvx512:
      return RmsNormAvx512();
    case Isa::kAvx2:
      return RmsNormAvx2();
    case Isa::kGeneric:
      break;
  }
  return RmsNormGeneric();
}

}  // namespace tenon::cpu
