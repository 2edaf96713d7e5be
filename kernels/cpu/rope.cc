// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/rope.h"

#include "kernels/cpu/rope_levels.h"

namespace tenon::cpu {

const RopeFunctions& RopeGeneric() { return kRope; }

const RopeFunctions& RopeOf(Isa isa) {
  switch (isa) {
    case Isa::kAvx512:
      return RopeAvx512();
    case Isa::kAvx2Vnni:
    case Isa::kAvx2:
      return RopeAvx2();
    case Isa::kGeneric:
      break;
  }
  return RopeGeneric();
}

}  // namespace tenon::cpu
