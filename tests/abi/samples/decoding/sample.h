// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tenon/types.h"

namespace first {

// Top-a sampling: of the tokens' probabilities p = softmax(logits), those below a * max(p)^2 are
// ruled out, their logits set to minus infinity. Where the model is sure, few tokens are left;
// where it is not, many. The most likely token always stays. In place; allocates nothing. Any
// thread. `a`: 0 (rules out nothing) to 1. REQUIRES: the logits are numbers or minus infinity, at
// least one of them finite, or none at all.
void KeepLikely(tenon::Span<float> logits, float a);

}  // namespace first
