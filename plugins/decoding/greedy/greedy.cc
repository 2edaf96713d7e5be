// SPDX-License-Identifier: Apache-2.0
#include "plugins/decoding/greedy/greedy.h"

#include <algorithm>

#include "plugins/decoding/common/arg_max.h"

namespace tenon::decoding {

int32_t GreedySampler::Sample(const DecodePoint&, Span<float> logits, void*) noexcept {
  return ArgMax(logits);
}

void GreedySampler::Distribution(const DecodePoint&, Span<float> logits, void*) noexcept {
  if (logits.empty()) return;
  const int32_t best = ArgMax(logits);
  std::fill(logits.begin(), logits.end(), 0.0f);
  logits[best] = 1;
}

}  // namespace tenon::decoding
