// SPDX-License-Identifier: Apache-2.0
#include "tenon/plugin.h"

#include "sample.h"

namespace {

using tenon::Capability;

constexpr tenon::ComponentInfo kComponent = tenon::Describe<first::Sample>(
    tenon::Family::kParallel, "first.sample", "One rank, with its communicator.", 0,
    tenon::Claim(Capability::kDeviceCpu));

}  // namespace

TENON_PLUGIN("first.parallel.sample", "1.0.0", "Apache-2.0", &kComponent);
