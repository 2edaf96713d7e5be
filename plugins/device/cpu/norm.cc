// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "kernels/cpu/dequantize.h"
#include "kernels/cpu/norm.h"
#include "plugins/device/cpu/base_ops.h"
#include "plugins/device/cpu/op_check.h"
#include "tenon/ops.h"

namespace tenon::cpu {
namespace {

class RmsNorm final : public BaseOp {
 public:
  // `weight` is [group], the offset added.
  RmsNorm(Isa isa, const RmsNormParams& params, const float* weight, const Buffer& in,
          const Buffer& out)
      : norm_(RmsNormOf(isa)),
        groups_(out.columns / params.group),
        group_(params.group),
        epsilon_(params.epsilon),
        weight_(weight),
        in_(in),
        out_(out) {}

  void Run(const Batch& batch, const Lane& lane) noexcept override {
    const RowRange range = RowsOf(lane, RowCount(batch, out_.rows));
    for (int32_t t = range.begin; t < range.end; ++t) {
      norm_(RowOf(in_, t), groups_, group_, weight_, epsilon_, RowOf(out_, t));
    }
  }

 private:
  const RmsNormFunction norm_;
  const int64_t groups_;
  const int64_t group_;
  const float epsilon_;
  const float* const weight_;
  const Buffer in_;
  const Buffer out_;
};

}  // namespace

std::unique_ptr<BaseOp> PlanRmsNorm(const PlanContext& context, const OpSpec& spec,
                                    PlannedOp* out) {
  CheckOperands(spec, {1, 1, 1});
  CheckSameColumns(spec);
  CheckSameRows(spec);
  const RmsNormParams params = CheckedParams<RmsNormParams>(spec);
  const int32_t columns = spec.outputs[0].columns;
  if (params.group < 1 || columns % params.group != 0) {
    Refuse(spec, Status::kInvalid,
           "group is " + std::to_string(params.group) + "; a divisor of its " +
               std::to_string(columns) + " columns needed");
  }
  if (!(params.epsilon >= 0) || !std::isfinite(params.epsilon) ||
      !std::isfinite(params.weight_offset)) {
    Refuse(spec, Status::kInvalid,
           "epsilon is " + std::to_string(params.epsilon) + ", weight_offset " +
               std::to_string(params.weight_offset) +
               "; finite numbers needed, epsilon not below 0");
  }
  CheckWeight(spec, 0, 1, params.group);
  const uint64_t bytes = sizeof(float) * static_cast<uint64_t>(params.group);
  float* weight = static_cast<float*>(context.memory->Allocate(bytes));
  if (weight == nullptr) Refuse(spec, Status::kOutOfMemory, "no memory for its weight");
  const Tensor& stored = spec.weights[0].tensor;
  Dequantize(context.isa, stored.dtype, stored.data, params.group, weight);
  for (int32_t i = 0; i < params.group; ++i) weight[i] += params.weight_offset;
  out->split = Split::kRows;
  out->weight_bytes = bytes;
  return std::make_unique<RmsNorm>(context.isa, params, weight, spec.inputs[0], spec.outputs[0]);
}

}  // namespace tenon::cpu
