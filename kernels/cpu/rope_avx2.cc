// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/rope_levels.h"

namespace tenon::cpu {

const RopeFunctions& RopeAvx2() { return kRope; }

}  // namespace tenon::cpu
