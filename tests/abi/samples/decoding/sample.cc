// SPDX-License-Identifier: Apache-2.0
#include "sample.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace first {

void KeepLikely(tenon::Span<float> logits, float a) {
  if (logits.empty() || a <= 0) return;
  const float highest = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (float logit : logits) sum += std::exp(static_cast<double>(logit) - highest);

  // max(p) = 1 / sum and p / max(p) = exp(logit - highest), so that p < a max(p)^2 reads
  // exp(logit - highest) < a / sum.
  const double threshold = highest + std::log(a / sum);
  for (float& logit : logits) {
    if (logit < threshold) logit = -std::numeric_limits<float>::infinity();
  }
}

}  // namespace first
