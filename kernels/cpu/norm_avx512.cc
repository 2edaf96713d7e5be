// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/norm_levels.h"

namespace tenon::cpu {

RmsNormFunction RmsNormAvx512() { return RmsNorm; }
LayerNormFunction LayerNormAvx512() { return LayerNorm; }

}  // namespace tenon::cpu
