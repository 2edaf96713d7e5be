// SPDX-License-Identifier: Apache-2.0
#include "plugins/device/cpu/base_ops.h"

#include "plugins/device/cpu/op_check.h"
#include "tenon/ops.h"

namespace tenon::cpu {
namespace {

struct Kind {
  const char* name;
  std::unique_ptr<BaseOp> (*plan)(const PlanContext&, const OpSpec&, PlannedOp*);
};

constexpr Kind kKinds[] = {
    {kEmbed, PlanEmbed},
    {kRmsNorm, PlanRmsNorm},
    {kRope, PlanRope},
    {kGlu, PlanGlu},
    {kAdd, PlanAdd},
    {kSoftCap, PlanSoftCap},
    {kGatherRows, PlanGatherRows},
    {kRoute, PlanRoute},
    {kCombine, PlanCombine},
    {kClampedGlu, PlanClampedGlu},
    {kActivate, PlanActivate},
    {kLayerNorm, PlanLayerNorm},
    {kEmbedPositions, PlanEmbedPositions},
};

}  // namespace

std::unique_ptr<BaseOp> PlanBaseOp(const PlanContext& context, const OpSpec& spec, PlannedOp* out) {
  std::string known;
  for (const Kind& kind : kKinds) {
    if (spec.kind == Str(kind.name)) return kind.plan(context, spec, out);
    known += (known.empty() ? "" : ", ") + std::string(kind.name);
  }
  Refuse(spec, Status::kUnsupported, "device cpu makes no op of this kind; it makes " + known);
}

}  // namespace tenon::cpu
