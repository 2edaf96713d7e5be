// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/norm_levels.h"

namespace tenon::cpu {

RmsNormFunction RmsNormAvx2() { return RmsNorm; }

}  // namespace tenon::cpu
