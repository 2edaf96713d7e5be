// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/activation.h"

#include "kernels/cpu/activation_levels.h"

namespace tenon::cpu {

const ActivationFunctions& ActivationsGeneric() { return kActivations; }

const ActivationFunctions& ActivationsOf(Isa isa) {
  switch (isa) {
    case Isa::kAvx512:
      return ActivationsAvx512();
    case Isa::kAvx2Vnni:
    case Isa::kAvx2:
      return ActivationsAvx2();
    case Isa::kGeneric:
      break;
  }
  return ActivationsGeneric();
}

GluFunction GluOf(Isa isa, Activation activation) {
  const ActivationFunctions& functions = ActivationsOf(isa);
  switch (activation) {
    case Activation::kSilu:
      return functions.silu;
    case Activation::kGeluTanh:
      return functions.gelu_tanh;
    case Activation::kGelu:
      return functions.gelu;
  }
  return nullptr;
}

}  // namespace tenon::cpu
