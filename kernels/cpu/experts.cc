// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/experts.h"

#include "kernels/cpu/experts_levels.h"

namespace tenon::cpu {

const ExpertFunctions& ExpertsGeneric() { return kExperts; }

const ExpertFunctions& ExpertFunctionsOf(Isa isa) {
  switch (isa) {
    case Isa::kAvx512:
      return ExpertsAvx512();
    case Isa::kAvx2Vnni:
    case Isa::kAvx2:
      return ExpertsAvx2();
    case Isa::kGeneric:
      break;
  }
  return ExpertsGeneric();
}

}  // namespace tenon::cpu
