// SPDX-License-Identifier: Apache-2.0
#include "tenon/plugin.h"

#include "plugins/decoding/sampler/sampler.h"

namespace tenon::decoding {
namespace {

constexpr OptionInfo kOptions[] = {
    {.name = "temperature",
     .type = OptionType::kFloat,
     .default_text = "0.2",
     .doc = "Divides the logits; 0 means the most likely token. For requests that set none.",
     .minimum = 0,
     .maximum = 100},
    {.name = "top_k",
     .type = OptionType::kInt,
     .default_text = "0",
     .doc = "Only the k most likely tokens may be drawn; 0 means all.",
     .minimum = 0,
     .maximum = 1 << 30,
     .unit = "tokens"},
    {.name = "top_p",
     .type = OptionType::kFloat,
     .default_text = "0.9",
     .doc = "Only the fewest most likely tokens that together reach this probability; 1 means all.",
     .minimum = 0,
     .maximum = 1},
    {.name = "min_p",
     .type = OptionType::kFloat,
     .default_text = "0.0",
     .doc = "Only tokens with at least this part of the most likely one's probability.",
     .minimum = 0,
     .maximum = 1},
};

constexpr ComponentInfo kSampler = Describe<FilterSampler>(
    Family::kDecoding, "sampler", "Draws a token after temperature, top-k, top-p and min-p.", 100,
    Claim(Capability::kDeviceCpu, Capability::kDeviceCuda), kOptions);

}  // namespace
}  // namespace tenon::decoding

TENON_PLUGIN("tenon.decoding.sampler", "0.1.0", "Apache-2.0", &tenon::decoding::kSampler);
