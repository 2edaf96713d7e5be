// SPDX-License-Identifier: Apache-2.0
#include "tenon/plugin.h"

#include "plugins/scheduler/continuous/continuous.h"

namespace tenon::scheduler {
namespace {

constexpr OptionInfo kOptions[] = {
    kMaxBatchTokens,
    kMaxSequences,
};

constexpr ComponentInfo kContinuous = Describe<ContinuousScheduler>(
    Family::kScheduler, "continuous",
    "Sequences join and leave at each step; prompts are computed whole where they fit.", 30,
    Claim(Capability::kDeviceCpu, Capability::kDeviceCuda), kOptions);

}  // namespace
}  // namespace tenon::scheduler

TENON_PLUGIN("tenon.scheduler.continuous", "0.1.0", "Apache-2.0", &tenon::scheduler::kContinuous);
