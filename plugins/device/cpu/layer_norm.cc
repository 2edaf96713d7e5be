// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <cstring>

#include "kernels/cpu/norm.h"
#include "plugins/device/cpu/base_ops.h"
#include "plugins/device/cpu/op_check.h"
#include "tenon/ops.h"

namespace tenon::cpu {
namespace {

class LayerNorm final : public BaseOp {
 public:
  // `weight` is [2, columns]: the weight, then the bias.
  LayerNorm(Isa isa, float epsilon, const float* weight, const OpSpec& spec)
      : norm_(LayerNormOf(isa)),
        epsilon_(epsilon),
        weight_(weight),
        x_(spec.inputs[0]),
        y_(spec.inputs[spec.inputs.size - 1]),
        sums_(spec.inputs.size == 2),
        out_(spec.outputs[0]) {}

  void Run(const Batch& batch, const Lane& lane) noexcept override {
    const RowRange range = RowsOf(lane, RowCount(batch, out_.rows));
    for (int32_t t = range.begin; t < range.end; ++t) {
      norm_(RowOf(x_, t), sums_ ? RowOf(y_, t) : nullptr, out_.columns, weight_,
            weight_ + out_.columns, epsilon_, RowOf(out_, t));
    }
  }

 private:
  const LayerNormFunction norm_;
  const float epsilon_;
  const float* const weight_;
  const Buffer x_;
  const Buffer y_;
  const bool sums_;
  const Buffer out_;
};

void CheckF32(const OpSpec& spec, uint64_t i, int32_t columns) {
  CheckWeight(spec, i, 1, columns);
  const Weight& weight = spec.weights[i];
  if (weight.tensor.dtype == DType::kF32) return;
  Refuse(spec, Status::kUnsupported,
         "weight \"" + std::string(weight.name) + "\" is " + Layout(weight.tensor.dtype).name +
             "; f32 needed");
}

}  // namespace

std::unique_ptr<BaseOp> PlanLayerNorm(const PlanContext& context, const OpSpec& spec,
                                      PlannedOp* out) {
  CheckOperands(spec, {spec.inputs.size == 2 ? 2u : 1u, 1, 2});
  CheckSameColumns(spec);
  CheckSameRows(spec);
  const float epsilon = CheckedParams<LayerNormParams>(spec).epsilon;
  if (!(epsilon >= 0) || !std::isfinite(epsilon)) {
    Refuse(spec, Status::kInvalid,
           "epsilon is " + std::to_string(epsilon) + "; a finite number from 0 needed");
  }
  const int32_t columns = spec.outputs[0].columns;
  CheckF32(spec, 0, columns);
  CheckF32(spec, 1, columns);
  const uint64_t row_bytes = sizeof(float) * static_cast<uint64_t>(columns);
  float* weight = static_cast<float*>(context.memory->Allocate(2 * row_bytes));
  if (weight == nullptr) Refuse(spec, Status::kOutOfMemory, "no memory for its weights");
  std::memcpy(weight, spec.weights[0].tensor.data, row_bytes);
  std::memcpy(weight + columns, spec.weights[1].tensor.data, row_bytes);
  out->split = Split::kRows;
  out->weight_bytes = 2 * row_bytes;
  return std::make_unique<LayerNorm>(context.isa, epsilon, weight, spec);
}

}  // namespace tenon::cpu
