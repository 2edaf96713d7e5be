// SPDX-License-Identifier: Apache-2.0
#include "apps/trial/outputs.h"

#include <algorithm>

namespace tenon::apps::trial {
namespace {

int64_t FirstDifference(const Output& a, const Output& b) {
  const bool cut = a.finish == core::FinishReason::kCancelled;
  const auto end =
      b.tokens.begin() + static_cast<std::ptrdiff_t>(std::min(a.tokens.size(), b.tokens.size()));
  const auto differs = std::mismatch(b.tokens.begin(), end, a.tokens.begin()).first;
  const bool same = differs == end && b.tokens.size() >= a.tokens.size() &&
                    (cut || (b.tokens.size() == a.tokens.size() && a.finish == b.finish));
  return same ? -1 : differs - b.tokens.begin();
}

}  // namespace

int64_t FirstDifference(const std::vector<Output>& a, const std::vector<Output>& b) {
  int64_t first = -1;
  for (size_t choice = 0; choice < std::min(a.size(), b.size()); ++choice) {
    const int64_t here = FirstDifference(a[choice], b[choice]);
    if (here >= 0 && (first < 0 || here < first)) first = here;
  }
  return first;
}

}  // namespace tenon::apps::trial
