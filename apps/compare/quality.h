// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "apps/compare/statistics.h"
#include "apps/compare/trials.h"

namespace tenon::apps {

// Where two greedy outputs of one prompt part.
struct Divergence {
  int32_t prompt = 0;
  int32_t token = 0;  // index of the first output token that differs
  int32_t chosen_a = 0, chosen_b = 0;
  // How much likelier A found its own choice than B's, in nats; none where B's was not among the
  // top choices that were kept.
  std::optional<double> gap;
};

// The first difference; none where the outputs agree over their common length.
std::optional<Divergence> FirstDifference(int32_t prompt, const Trial& a, const Trial& b);

// Two arms on the same forced tokens; one entry a text.
struct ForcedText {
  int64_t positions = 0;
  double kl = 0;  // Σ KL(A ‖ B), nats
  double largest_kl = 0;
  int64_t same_top = 0;         // positions where both prefer the same token
  double nll_a = 0, nll_b = 0;  // Σ −log p of the tokens that come
};

// Runs both arms over `ids` (at least 2, at most the context) and compares what they predict for
// every token but the first. Keeps A's logits: 4 bytes × vocabulary × ids.
Result<ForcedText> CompareForced(Session& a, Session& b, const std::vector<int32_t>& ids,
                                 const volatile bool* stop);

}  // namespace tenon::apps
