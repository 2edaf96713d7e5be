// SPDX-License-Identifier: Apache-2.0
#include "tenon/plugin.h"

#include "sample.h"

namespace {

using tenon::Capability;

constexpr tenon::ComponentInfo kComponent = tenon::Describe<first::Sample>(
    tenon::Family::kScheduler, "first.sample", "First come, first served, with prompts in chunks.",
    0, tenon::Claim(Capability::kDeviceCpu, Capability::kDeviceCuda), first::Sample::kOptions);

}  // namespace

TENON_PLUGIN("first.scheduler.sample", "1.0.0", "Apache-2.0", &kComponent);
