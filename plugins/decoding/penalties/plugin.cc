// SPDX-License-Identifier: Apache-2.0
#include "tenon/plugin.h"

#include "plugins/decoding/penalties/penalties.h"

namespace tenon::decoding {
namespace {

constexpr OptionInfo kOptions[] = {
    {.name = "repetition_penalty",
     .type = OptionType::kFloat,
     .default_text = "1.0",
     .doc =
         "Divides the positive and multiplies the negative logits of seen tokens; 1 does nothing.",
     .minimum = 0.01,
     .maximum = 100},
    {.name = "presence_penalty",
     .type = OptionType::kFloat,
     .default_text = "0.0",
     .doc = "Taken off the logit of every token that the output has.",
     .minimum = -2,
     .maximum = 2},
    {.name = "frequency_penalty",
     .type = OptionType::kFloat,
     .default_text = "0.0",
     .doc = "Taken off a token's logit for each time that the output has it.",
     .minimum = -2,
     .maximum = 2},
};

constexpr ComponentInfo kPenalties = Describe<Penalties>(
    Family::kDecoding, "penalties",
    "Repetition, presence and frequency penalties, and the request's logit bias.", 110,
    Claim(Capability::kDeviceCpu, Capability::kDeviceCuda), kOptions);

}  // namespace
}  // namespace tenon::decoding

TENON_PLUGIN("tenon.decoding.penalties", "0.1.0", "Apache-2.0", &tenon::decoding::kPenalties);
