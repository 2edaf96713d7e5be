// SPDX-License-Identifier: Apache-2.0
#include "tenon/plugin.h"

#include "plugins/attention/reference/reference.h"

namespace {

using tenon::Capability;

constexpr tenon::ComponentInfo kReference = tenon::Describe<tenon::attention::ReferenceAttention>(
    tenon::Family::kAttention, "reference",
    "The formula as it stands, in double: slow, to measure the others against.", 0,
    tenon::Claim(Capability::kDeviceCpu, Capability::kSlidingWindow, Capability::kSoftCap,
                 Capability::kSinks, Capability::kTreeMask, Capability::kLatentKv,
                 Capability::kBidirectional, Capability::kKvF32, Capability::kKvF16,
                 Capability::kKvBF16, Capability::kKvI8),
    tenon::attention::ReferenceAttention::kOptions);

}  // namespace

TENON_PLUGIN("tenon.attention.reference", "0.1.0", "Apache-2.0", &kReference);
