// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/experts_levels.h"

namespace tenon::cpu {

const ExpertFunctions& ExpertsAvx512() { return kExperts; }

}  // namespace tenon::cpu
