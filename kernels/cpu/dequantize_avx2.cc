// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/dequantize_levels.h"

namespace tenon::cpu {

const DequantizeLevel& DequantizeAvx2() { return kDequantizeLevel; }

}  // namespace tenon::cpu
