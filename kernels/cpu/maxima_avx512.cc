// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/maxima_levels.h"

namespace tenon::cpu {

void BlockMaximaAvx512(const float* x, int64_t count, float* out) { BlockMaximaOf(x, count, out); }

}  // namespace tenon::cpu
