// SPDX-License-Identifier: Apache-2.0
#include "tenon/plugin.h"

#include "plugins/decoding/replace/replace.h"

namespace tenon::decoding {
namespace {

constexpr OptionInfo kOptions[] = {
    {.name = "find",
     .type = OptionType::kString,
     .default_text = "",
     .doc = "The text looked for in what the model says; empty finds nothing."},
    {.name = "with",
     .type = OptionType::kString,
     .default_text = "",
     .doc = "What stands in its place."},
    {.name = "block",
     .type = OptionType::kBool,
     .default_text = "false",
     .doc = "Ends the output before the text instead."},
};

constexpr ComponentInfo kReplace = Describe<Replace>(
    Family::kDecoding, "replace", "Replaces a text in the output, or ends the output at it.", 0,
    Claim(Capability::kDeviceCpu, Capability::kDeviceCuda), kOptions);

}  // namespace
}  // namespace tenon::decoding

TENON_PLUGIN("tenon.decoding.replace", "0.1.0", "Apache-2.0", &tenon::decoding::kReplace);
