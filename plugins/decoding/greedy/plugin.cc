// SPDX-License-Identifier: Apache-2.0
#include "tenon/plugin.h"

#include "plugins/decoding/greedy/greedy.h"

namespace tenon::decoding {
namespace {

constexpr ComponentInfo kGreedy =
    Describe<GreedySampler>(Family::kDecoding, "greedy", "Picks the most likely token, always.", 0,
                            Claim(Capability::kDeviceCpu, Capability::kDeviceCuda));

}  // namespace
}  // namespace tenon::decoding

TENON_PLUGIN("tenon.decoding.greedy", "0.1.0", "Apache-2.0", &tenon::decoding::kGreedy);
