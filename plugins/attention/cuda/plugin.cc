// SPDX-License-Identifier: Apache-2.0
#include "tenon/plugin.h"

#include "plugins/attention/cuda/cuda.h"

namespace {

using tenon::Capability;
using tenon::OptionInfo;
using tenon::OptionType;

constexpr OptionInfo kOptions[] = {
    {.name = "kv_type",
     .type = OptionType::kString,
     .default_text = "f16",
     .doc = "How K and V are stored.",
     .choices = "f32|f16|bf16"},
    {.name = "page_tokens",
     .type = OptionType::kInt,
     .default_text = "16",
     .doc = "KV slots a page.",
     .minimum = 1,
     .maximum = 256,
     .unit = "tokens"},
};

constexpr tenon::ComponentInfo kCuda = tenon::Describe<tenon::attention::CudaAttention>(
    tenon::Family::kAttention, "cuda", "Plain paged attention on CUDA: one block a token and head.",
    0,
    tenon::Claim(Capability::kDeviceCuda, Capability::kSlidingWindow, Capability::kSoftCap,
                 Capability::kSinks, Capability::kTreeMask, Capability::kKvF32, Capability::kKvF16,
                 Capability::kKvBF16, Capability::kSharedPages),
    kOptions);

}  // namespace

TENON_PLUGIN("tenon.attention.cuda", "0.1.0", "Apache-2.0", &kCuda);
