// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/attention.h"

#include "kernels/cpu/attention_levels.h"

namespace tenon::cpu {

const AttentionKernels& AttentionKernelsGeneric() { return kAttentionKernels; }

const AttentionKernels& AttentionKernelsFor(Isa isa) {
#if defined(__x86_64__)
  if (isa == Isa::kAvx512) return AttentionKernelsAvx512();
  if (isa == Isa::kAvx2 || isa == Isa::kAvx2Vnni) return AttentionKernelsAvx2();
#else
  (void)isa;
#endif
  return AttentionKernelsGeneric();
}

}  // namespace tenon::cpu
