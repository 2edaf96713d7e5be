// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "kernels/cpu/experts.h"
#include "plugins/device/cpu/base_ops.h"
#include "plugins/device/cpu/op_check.h"
#include "tenon/ops.h"

namespace tenon::cpu {
namespace {

class ClampedGlu final : public BaseOp {
 public:
  ClampedGlu(Isa isa, const ClampedGluParams& params, const OpSpec& spec)
      : clamped_glu_(ExpertFunctionsOf(isa).clamped_glu),
        params_(params),
        gate_(spec.inputs[0]),
        up_(spec.inputs[1]),
        out_(spec.outputs[0]) {}

  void Run(const Batch& batch, const Lane& lane) noexcept override {
    const RowRange range = RowsOf(lane, RowCount(batch, out_.rows));
    for (int32_t t = range.begin; t < range.end; ++t) {
      clamped_glu_(RowOf(gate_, t), RowOf(up_, t), params_.alpha, params_.limit, out_.columns,
                   RowOf(out_, t));
    }
  }

 private:
  void (*const clamped_glu_)(const float*, const float*, float, float, int64_t, float*);
  const ClampedGluParams params_;
  const Buffer gate_;
  const Buffer up_;
  const Buffer out_;
};

}  // namespace

std::unique_ptr<BaseOp> PlanClampedGlu(const PlanContext& context, const OpSpec& spec,
                                       PlannedOp* out) {
  CheckOperands(spec, {2, 1, 0});
  CheckSameColumns(spec);
  CheckSameRows(spec);
  const ClampedGluParams params = CheckedParams<ClampedGluParams>(spec);
  if (!std::isfinite(params.alpha) || !(params.limit > 0) || !std::isfinite(params.limit)) {
    Refuse(spec, Status::kInvalid,
           "alpha is " + std::to_string(params.alpha) + ", limit " + std::to_string(params.limit) +
               "; finite numbers needed, the limit above 0");
  }
  out->split = Split::kRows;
  return std::make_unique<ClampedGlu>(context.isa, params, spec);
}

}  // namespace tenon::cpu
