// SPDX-License-Identifier: Apache-2.0
#include "tenon/plugin.h"

#include "plugins/decoding/canned/canned.h"

namespace tenon::decoding {
namespace {

constexpr OptionInfo kOptions[] = {
    {.name = "file",
     .type = OptionType::kString,
     .default_text = "",
     .doc = "A file of lines: a question, a tab, its answer (\\n is a new line); empty: no "
            "questions."},
};

constexpr ComponentInfo kCanned = Describe<Canned>(
    Family::kDecoding, "canned", "Answers questions that a file lists, without the model.", 0,
    Claim(Capability::kDeviceCpu, Capability::kDeviceCuda), kOptions);

}  // namespace
}  // namespace tenon::decoding

TENON_PLUGIN("tenon.decoding.canned", "0.1.0", "Apache-2.0", &tenon::decoding::kCanned);
