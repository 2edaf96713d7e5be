// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/activation_levels.h"

namespace tenon::cpu {

const ActivationFunctions& ActivationsAvx512() { return kActivations; }

}  // namespace tenon::cpu
