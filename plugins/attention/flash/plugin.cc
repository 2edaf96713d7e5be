// SPDX-License-Identifier: Apache-2.0
#include "tenon/plugin.h"

#include "plugins/attention/flash/flash.h"

namespace {

using tenon::Capability;

constexpr tenon::ComponentInfo kFlash = tenon::Describe<tenon::attention::FlashAttention>(
    tenon::Family::kAttention, "flash",
    "Tiled online softmax over one contiguous run of K and V a sequence.", 50,
    tenon::Claim(Capability::kDeviceCpu, Capability::kSlidingWindow, Capability::kSoftCap,
                 Capability::kSinks, Capability::kTreeMask, Capability::kLatentKv,
                 Capability::kBidirectional, Capability::kKvF32, Capability::kKvF16,
                 Capability::kKvBF16, Capability::kKvI8),
    tenon::attention::FlashAttention::kOptions);

}  // namespace

TENON_PLUGIN("tenon.attention.flash", "0.1.0", "Apache-2.0", &kFlash);
