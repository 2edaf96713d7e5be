// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include "kernels/cpu/isa.h"
#include "plugins/device/cpu/memory.h"
#include "plugins/device/cpu/rope_table.h"
#include "tenon/op.h"

// The ops of tenon/ops.h that a device makes. All but gather_rows and a very wide soft_cap split by
// rows, so that lanes need no meeting between them.
namespace tenon::cpu {

// An op that its device can end.
class BaseOp : public Op {
 public:
  virtual ~BaseOp() = default;
};

// What planning needs of the device; outlives the ops.
struct PlanContext {
  Isa isa;
  HostMemory* memory;
  RopeTables* rope_tables;
};

// Makes the op for `spec` and fills out's split and bytes (not out->op). Throws PlanError: kInvalid
// or kUnsupported with a text for the user, kUnsupported also for a kind that is not listed above.
std::unique_ptr<BaseOp> PlanBaseOp(const PlanContext& context, const OpSpec& spec, PlannedOp* out);

// What an op of experts has room for on a lane's stack.
inline constexpr int32_t kMaxExperts = 1024;

// One a kind, in the files of that name.
std::unique_ptr<BaseOp> PlanEmbed(const PlanContext& context, const OpSpec& spec, PlannedOp* out);
std::unique_ptr<BaseOp> PlanRmsNorm(const PlanContext& context, const OpSpec& spec, PlannedOp* out);
std::unique_ptr<BaseOp> PlanRope(const PlanContext& context, const OpSpec& spec, PlannedOp* out);
std::unique_ptr<BaseOp> PlanGlu(const PlanContext& context, const OpSpec& spec, PlannedOp* out);
std::unique_ptr<BaseOp> PlanAdd(const PlanContext& context, const OpSpec& spec, PlannedOp* out);
std::unique_ptr<BaseOp> PlanSoftCap(const PlanContext& context, const OpSpec& spec, PlannedOp* out);
std::unique_ptr<BaseOp> PlanGatherRows(const PlanContext& context, const OpSpec& spec,
                                       PlannedOp* out);
std::unique_ptr<BaseOp> PlanRoute(const PlanContext& context, const OpSpec& spec, PlannedOp* out);
std::unique_ptr<BaseOp> PlanCombine(const PlanContext& context, const OpSpec& spec, PlannedOp* out);
std::unique_ptr<BaseOp> PlanClampedGlu(const PlanContext& context, const OpSpec& spec,
                                       PlannedOp* out);
std::unique_ptr<BaseOp> PlanActivate(const PlanContext& context, const OpSpec& spec,
                                     PlannedOp* out);
std::unique_ptr<BaseOp> PlanLayerNorm(const PlanContext& context, const OpSpec& spec,
                                      PlannedOp* out);
std::unique_ptr<BaseOp> PlanEmbedPositions(const PlanContext& context, const OpSpec& spec,
                                           PlannedOp* out);

}  // namespace tenon::cpu
