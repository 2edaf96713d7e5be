// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/activation.h"

#include "kernels/cpu/activation_levels.h"

namespace tenon::cpu {

const ActivationFunctions& ActivationsGeneric() { return kActivations; }

const ActivationFunctions& ActivationsOf(Isa isa) {
  switch (isa) {
    case Isa::kAvx512:
      return ActivationsAvx512();
    case Isa::kAvx2:
      return ActivationsAvx2();
    case Isa::kGeneric:
      break;
  }
  return ActivationsGeneric();
}

}  // namespace tenon::cpu
