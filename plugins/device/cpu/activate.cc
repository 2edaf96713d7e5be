// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/activation.h"
#include "plugins/device/cpu/base_ops.h"
#include "plugins/device/cpu/op_check.h"
#include "tenon/ops.h"

namespace tenon::cpu {
namespace {

class Activate final : public BaseOp {
 public:
  Activate(ActivateFunction function, const OpSpec& spec)
      : function_(function), x_(spec.inputs[0]), out_(spec.outputs[0]) {}

  void Run(const Batch& batch, const Lane& lane) noexcept override {
    const RowRange range = RowsOf(lane, RowCount(batch, out_.rows));
    for (int32_t t = range.begin; t < range.end; ++t) {
      function_(RowOf(x_, t), out_.columns, RowOf(out_, t));
    }
  }

 private:
  const ActivateFunction function_;
  const Buffer x_;
  const Buffer out_;
};

ActivateFunction FunctionOf(const ActivationFunctions& functions, Activation activation) {
  switch (activation) {
    case Activation::kSilu:
      return functions.activate_silu;
    case Activation::kGeluTanh:
      return functions.activate_gelu_tanh;
    case Activation::kGelu:
      return functions.activate_gelu;
  }
  return nullptr;
}

}  // namespace

std::unique_ptr<BaseOp> PlanActivate(const PlanContext& context, const OpSpec& spec,
                                     PlannedOp* out) {
  CheckOperands(spec, {1, 1, 0});
  CheckSameColumns(spec);
  CheckSameRows(spec);
  const Activation activation = CheckedParams<ActivateParams>(spec).activation;
  const ActivateFunction function = FunctionOf(ActivationsOf(context.isa), activation);
  if (function == nullptr) {
    Refuse(spec, Status::kUnsupported,
           "activation is number " + std::to_string(static_cast<uint32_t>(activation)) +
               "; silu (0), gelu_tanh (1) and gelu (2) are known");
  }
  out->split = Split::kRows;
  return std::make_unique<Activate>(function, spec);
}

}  // namespace tenon::cpu
