// SPDX-License-Identifier: Apache-2.0
#include "tenon/plugin.h"

#include "plugins/attention/paged/paged.h"

namespace {

using tenon::Capability;

constexpr tenon::ComponentInfo kPaged = tenon::Describe<tenon::attention::PagedAttention>(
    tenon::Family::kAttention, "paged",
    "Tiled online softmax over pages of K and V that sequences may share.", 100,
    tenon::Claim(Capability::kDeviceCpu, Capability::kSlidingWindow, Capability::kSoftCap,
                 Capability::kSinks, Capability::kTreeMask, Capability::kLatentKv,
                 Capability::kBidirectional, Capability::kKvF32, Capability::kKvF16,
                 Capability::kKvBF16, Capability::kKvI8, Capability::kSharedPages),
    tenon::attention::PagedAttention::kOptions);

}  // namespace

TENON_PLUGIN("tenon.attention.paged", "0.1.0", "Apache-2.0", &kPaged);
