// SPDX-License-Identifier: Apache-2.0
#include "tenon/plugin.h"

#include "sample.h"

namespace {

using tenon::Capability;

constexpr tenon::ComponentInfo kComponent =
    tenon::Describe<first::Sample>(tenon::Family::kAttention, "first.sample",
                                   "Softmax attention over contiguous K and V in f32.", 0,
                                   tenon::Claim(Capability::kDeviceCpu, Capability::kSlidingWindow,
                                                Capability::kSoftCap, Capability::kKvF32),
                                   first::Sample::kOptions);

}  // namespace

TENON_PLUGIN("first.attention.sample", "1.0.0", "Apache-2.0", &kComponent);
