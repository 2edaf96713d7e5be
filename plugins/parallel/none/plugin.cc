// SPDX-License-Identifier: Apache-2.0
#include "tenon/plugin.h"

#include "plugins/parallel/none/none.h"

namespace tenon::parallel {
namespace {

constexpr ComponentInfo kNone =
    Describe<NoStrategy>(Family::kParallel, "none", "One rank computes the whole Program.", 100,
                         Claim(Capability::kDeviceCpu, Capability::kDeviceCuda));

}  // namespace
}  // namespace tenon::parallel

TENON_PLUGIN("tenon.parallel.none", "0.1.0", "Apache-2.0", &tenon::parallel::kNone);
