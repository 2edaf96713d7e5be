// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "kernels/cpu/experts.h"
#include "plugins/device/cpu/base_ops.h"
#include "plugins/device/cpu/op_check.h"
#include "tenon/ops.h"

namespace tenon::cpu {
namespace {

class Combine final : public BaseOp {
 public:
  Combine(Isa isa, const CombineParams& params, const OpSpec& spec)
      : weighted_sum_(ExpertFunctionsOf(isa).weighted_sum),
        params_(params),
        y_(spec.inputs[0]),
        w_(spec.inputs[1]),
        base_(spec.inputs[params.has_base != 0 ? 2 : 0]),
        out_(spec.outputs[0]) {}

  void Run(const Batch& batch, const Lane& lane) noexcept override {
    const RowRange range = RowsOf(lane, RowCount(batch, out_.rows));
    for (int32_t t = range.begin; t < range.end; ++t) {
      float squashed[kMaxExperts];
      const float* weights = RowOf(w_, t);
      if (params_.sigmoid != 0) {
        for (int32_t j = 0; j < params_.slots; ++j) {
          squashed[j] = 1.0f / (1.0f + std::exp(-weights[j]));
        }
        weights = squashed;
      }
      const float* base = params_.has_base != 0 ? RowOf(base_, t) : nullptr;
      weighted_sum_(RowOf(y_, t), out_.columns, weights, params_.slots, base, out_.columns,
                    RowOf(out_, t));
    }
  }

 private:
  void (*const weighted_sum_)(const float*, int64_t, const float*, int64_t, const float*, int64_t,
                              float*);
  const CombineParams params_;
  const Buffer y_;
  const Buffer w_;
  const Buffer base_;  // only with has_base
  const Buffer out_;
};

}  // namespace

std::unique_ptr<BaseOp> PlanCombine(const PlanContext& context, const OpSpec& spec,
                                    PlannedOp* out) {
  const CombineParams params = CheckedParams<CombineParams>(spec);
  CheckOperands(spec, {params.has_base != 0 ? 3u : 2u, 1, 0});
  CheckSameRows(spec);
  if (params.slots < 1 || params.slots > kMaxExperts) {
    Refuse(spec, Status::kInvalid,
           "slots is " + std::to_string(params.slots) + "; 1 to " + std::to_string(kMaxExperts) +
               " allowed");
  }
  const int32_t columns = spec.outputs[0].columns;
  if (spec.inputs[0].columns != int64_t{params.slots} * columns ||
      spec.inputs[1].columns != params.slots ||
      (params.has_base != 0 && spec.inputs[2].columns != columns)) {
    Refuse(spec, Status::kInvalid,
           "inputs 0 and 1 have " + std::to_string(spec.inputs[0].columns) + " and " +
               std::to_string(spec.inputs[1].columns) + " columns; " +
               std::to_string(params.slots) + " slots of " + std::to_string(columns) +
               " and a weight for each needed, and a base, if any, as wide as output 0");
  }
  out->split = Split::kRows;
  return std::make_unique<Combine>(context.isa, params, spec);
}

}  // namespace tenon::cpu
