// SPDX-License-Identifier: Apache-2.0
#include "tenon/plugin.h"

#include "plugins/scheduler/dynamic/dynamic.h"

namespace tenon::scheduler {
namespace {

constexpr OptionInfo kOptions[] = {
    kMaxBatchTokens,
    kMaxSequences,
    {.name = "window_us",
     .type = OptionType::kInt,
     .default_text = "10000",
     .doc = "How long the oldest request may wait for others to join its batch.",
     .minimum = 0,
     .maximum = 60e6,
     .unit = "us"},
};

constexpr ComponentInfo kDynamic = Describe<DynamicScheduler>(
    Family::kScheduler, "dynamic",
    "As static, but waits for a time window or a full batch before it starts.", 20,
    Claim(Capability::kDeviceCpu, Capability::kDeviceCuda), kOptions);

}  // namespace
}  // namespace tenon::scheduler

TENON_PLUGIN("tenon.scheduler.dynamic", "0.1.0", "Apache-2.0", &tenon::scheduler::kDynamic);
