// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cpu/peak.h"

namespace tenon::cpu {

PeakLoops PeakLoopsGeneric();
PeakLoops PeakLoopsAvx2();
PeakLoops PeakLoopsAvx2Vnni();
PeakLoops PeakLoopsAvx512();
uint64_t ReadAllGeneric(const void* memory, int64_t bytes);
uint64_t ReadAllAvx2(const void* memory, int64_t bytes);
uint64_t ReadAllAvx512(const void* memory, int64_t bytes);

// As many chains as hide the latency of a multiply-add at two a cycle, and fit the registers.
inline constexpr int kPeakChains = 12;

}  // namespace tenon::cpu
