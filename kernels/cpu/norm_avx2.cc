// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/norm_levels.h"

namespace tenon::cpu {

RmsNormFunction RmsNormAvx2() { return RmsNorm; }
LayerNormFunction LayerNormAvx2() { return LayerNorm; }

}  // namespace tenon::cpu
