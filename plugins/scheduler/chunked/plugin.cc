// SPDX-License-Identifier: Apache-2.0
#include "tenon/plugin.h"

#include "plugins/scheduler/chunked/chunked.h"

namespace tenon::scheduler {
namespace {

constexpr OptionInfo kOptions[] = {
    kMaxBatchTokens,
    kMaxSequences,
    {.name = "chunk_tokens",
     .type = OptionType::kInt,
     .default_text = "0",
     .doc = "Most prompt tokens of one step; 0 means all that decodes leave of the budget.",
     .minimum = 0,
     .maximum = 1 << 20,
     .unit = "tokens"},
    {.name = "mixed_chunk_tokens",
     .type = OptionType::kInt,
     .default_text = "0",
     .doc = "Most prompt tokens of one step in which others decode: bounds the time between their "
            "tokens; 0 means as chunk_tokens.",
     .minimum = 0,
     .maximum = 1 << 20,
     .unit = "tokens"},
};

constexpr ComponentInfo kChunked = Describe<ChunkedScheduler>(
    Family::kScheduler, "chunked",
    "Decodes first, then prompts in pieces in the rest of the token budget.", 100,
    Claim(Capability::kDeviceCpu, Capability::kDeviceCuda), kOptions);

}  // namespace
}  // namespace tenon::scheduler

TENON_PLUGIN("tenon.scheduler.chunked", "0.1.0", "Apache-2.0", &tenon::scheduler::kChunked);
