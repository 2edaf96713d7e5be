// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/int8_wide_avx2.h"

namespace tenon::cpu {

void Int8GemmAvx2Vnni(const Int8Gemm& gemm) { Int8GemmOf256(gemm); }

}  // namespace tenon::cpu
