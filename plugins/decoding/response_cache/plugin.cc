// SPDX-License-Identifier: Apache-2.0
#include "tenon/plugin.h"

#include "plugins/decoding/response_cache/response_cache.h"

namespace tenon::decoding {
namespace {

constexpr OptionInfo kOptions[] = {
    {.name = "entries",
     .type = OptionType::kInt,
     .default_text = "1024",
     .doc = "Answers kept at most; the least recently used go first.",
     .minimum = 1,
     .maximum = 1 << 24},
    {.name = "megabytes",
     .type = OptionType::kInt,
     .default_text = "16",
     .doc = "What the answers kept may hold together.",
     .minimum = 1,
     .maximum = 1 << 20,
     .unit = "MiB"},
};

constexpr ComponentInfo kResponseCache = Describe<ResponseCache>(
    Family::kDecoding, "response_cache", "Answers a request as the same one was answered before.",
    0, Claim(Capability::kDeviceCpu, Capability::kDeviceCuda), kOptions);

}  // namespace
}  // namespace tenon::decoding

TENON_PLUGIN("tenon.decoding.response_cache", "0.1.0", "Apache-2.0",
             &tenon::decoding::kResponseCache);
