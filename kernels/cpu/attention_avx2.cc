// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/attention_levels.h"

namespace tenon::cpu {

const AttentionKernels& AttentionKernelsAvx2() { return kAttentionKernels; }

}  // namespace tenon::cpu
