// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/maxima.h"

#include "kernels/cpu/maxima_levels.h"

namespace tenon::cpu {

void BlockMaximaGeneric(const float* x, int64_t count, float* out) { BlockMaximaOf(x, count, out); }

void BlockMaxima(Isa isa, const float* x, int64_t count, float* out) {
  switch (isa) {
    case Isa::kAvx512:
      return BlockMaximaAvx512(x, count, out);
    case Isa::kAvx2Vnni:
    case Isa::kAvx2:
      return BlockMaximaAvx2(x, count, out);
    case Isa::kGeneric:
      return BlockMaximaGeneric(x, count, out);
  }
}

}  // namespace tenon::cpu
