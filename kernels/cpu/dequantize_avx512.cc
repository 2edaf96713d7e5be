// SPDX-License-Identifier: Apache-2.0
// GCC 12 warns about the deliberately undefined operands inside its own intrinsics (its bug
// 105593).
#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include "kernels/cpu/dequantize_levels.h"

namespace tenon::cpu {

const DequantizeLevel& DequantizeAvx512() { return kDequantizeLevel; }

}  // namespace tenon::cpu
