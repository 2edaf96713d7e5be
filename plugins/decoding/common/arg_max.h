// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>
#include <cstdint>

#include "tenon/types.h"

namespace tenon::decoding {

// The larger of two; NaN never wins, so a maximum that starts at -infinity ignores it.
inline float MaxIgnoringNan(float best, float x) { return x > best ? x : best; }

// The largest of `count` floats, NaN ignored; -infinity where there is none.
inline float MaxOf(const float* x, int64_t count) {
  constexpr int kLanes = 16;
  float lanes[kLanes];
  for (float& lane : lanes) lane = -INFINITY;
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (int j = 0; j < kLanes; ++j) lanes[j] = MaxIgnoringNan(lanes[j], x[i + j]);
  }
  for (; i < count; ++i) lanes[0] = MaxIgnoringNan(lanes[0], x[i]);
  float best = -INFINITY;
  for (float lane : lanes) best = MaxIgnoringNan(best, lane);
  return best;
}

// The lowest token whose logit is the largest. NaN is passed over; where no logit is above
// -infinity (or there are none) it is token 0.
inline int32_t ArgMax(Span<const float> logits) {
  constexpr int64_t kBlock = 1024;
  const int64_t count = static_cast<int64_t>(logits.size);
  float best = -INFINITY;
  int64_t at = count;  // the block where the best was first seen
  for (int64_t begin = 0; begin < count; begin += kBlock) {
    const float here = MaxOf(logits.data + begin, count - begin < kBlock ? count - begin : kBlock);
    if (here > best) {
      best = here;
      at = begin;
    }
  }
  while (at < count && logits.data[at] != best) ++at;
  return at < count ? static_cast<int32_t>(at) : 0;
}

}  // namespace tenon::decoding
