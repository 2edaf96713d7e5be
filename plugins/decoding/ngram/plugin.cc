// SPDX-License-Identifier: Apache-2.0
#include "tenon/plugin.h"

#include "plugins/decoding/ngram/ngram.h"

namespace tenon::decoding {
namespace {

constexpr OptionInfo kOptions[] = {
    {.name = "max_ngram",
     .type = OptionType::kInt,
     .default_text = "4",
     .doc = "How many of the newest tokens are looked for, at most.",
     .minimum = 1,
     .maximum = 64,
     .unit = "tokens"},
    {.name = "min_ngram",
     .type = OptionType::kInt,
     .default_text = "2",
     .doc = "Nothing is proposed where fewer of the newest tokens stood together before.",
     .minimum = 1,
     .maximum = 64,
     .unit = "tokens"},
    {.name = "draft_tokens",
     .type = OptionType::kInt,
     .default_text = "4",
     .doc = "How many tokens are proposed a step, at most.",
     .minimum = 1,
     .maximum = 63,
     .unit = "tokens"},
};

constexpr ComponentInfo kNgram = Describe<NgramDrafter>(
    Family::kDecoding, "ngram",
    "Drafts what followed the newest tokens when they stood in the text before.", 0,
    Claim(Capability::kDeviceCpu, Capability::kDeviceCuda), kOptions);

}  // namespace
}  // namespace tenon::decoding

TENON_PLUGIN("tenon.decoding.ngram", "0.1.0", "Apache-2.0", &tenon::decoding::kNgram);
