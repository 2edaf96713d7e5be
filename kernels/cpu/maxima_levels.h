// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cpu/lanes.h"
#include "kernels/cpu/maxima.h"

// The one body, compiled once a level. Four running maxima a block hide the latency; bound by
// reading x, from the second level of cache for a vocabulary of 262,144.
namespace tenon::cpu {

void BlockMaximaGeneric(const float* x, int64_t count, float* out);
void BlockMaximaAvx2(const float* x, int64_t count, float* out);
void BlockMaximaAvx512(const float* x, int64_t count, float* out);

namespace {

void BlockMaximaOf(const float* x, int64_t count, float* out) {
  constexpr int kStep = 4 * kFloatLanes;
  const float lowest = -__builtin_inff();
  for (; count >= kMaximaBlock; count -= kMaximaBlock, x += kMaximaBlock) {
    FloatVector most[4];
    for (FloatVector& m : most) m = Broadcast(lowest);
    for (int i = 0; i < kMaximaBlock; i += kStep) {
      for (int j = 0; j < 4; ++j) {
        // Of a NaN and a number, Most gives the second.
        most[j] = Most(LoadVector(x + i + j * kFloatLanes), most[j]);
      }
    }
    *out++ = MaxLanes(Most(Most(most[0], most[1]), Most(most[2], most[3])));
  }
  if (count == 0) return;
  *out = lowest;
  for (int64_t i = 0; i < count; ++i) *out = x[i] > *out ? x[i] : *out;
}

}  // namespace
}  // namespace tenon::cpu
