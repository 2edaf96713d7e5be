// SPDX-License-Identifier: Apache-2.0
#include "tenon/plugin.h"

#include "plugins/scheduler/static/static.h"

namespace tenon::scheduler {
namespace {

constexpr OptionInfo kOptions[] = {
    kMaxBatchTokens,
    kMaxSequences,
};

constexpr ComponentInfo kStatic = Describe<StaticScheduler>(
    Family::kScheduler, "static", "Runs a batch until all of it are done, then takes the next.", 10,
    Claim(Capability::kDeviceCpu, Capability::kDeviceCuda), kOptions);

}  // namespace
}  // namespace tenon::scheduler

TENON_PLUGIN("tenon.scheduler.static", "0.1.0", "Apache-2.0", &tenon::scheduler::kStatic);
