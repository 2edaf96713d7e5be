// SPDX-License-Identifier: Apache-2.0
#include "plugins/quant/common/linear_spec.h"

#include <string>
#include <string_view>

namespace tenon::quant {
namespace {

Status CheckBuffers(Host& host, const OpSpec& spec, const LinearParams& params) {
  const uint64_t inputs = params.has_residual != 0 ? 2 : 1;
  const uint64_t weights = params.matrices < 1 ? 0 : static_cast<uint64_t>(params.matrices);
  const uint64_t expected = params.has_bias != 0 ? 2 * weights : weights;
  if (weights == 0 || spec.inputs.size != inputs || spec.outputs.size != 1 ||
      spec.weights.size != expected) {
    return Refuse(
        host, Status::kInvalid, spec,
        "a linear takes x (and a residual), one output, and its matrices (and biases); got " +
            std::to_string(spec.inputs.size) + " inputs, " + std::to_string(spec.outputs.size) +
            " outputs, " + std::to_string(spec.weights.size) + " weights");
  }
  for (uint64_t i = 0; i <= inputs; ++i) {
    const Buffer& buffer = i < inputs ? spec.inputs[i] : spec.outputs[0];
    if (buffer.dtype != DType::kF32) {
      return Refuse(host, Status::kUnsupported, spec,
                    std::string("activations are stored as ") + Layout(buffer.dtype).name +
                        "; f32 is understood");
    }
  }
  return Status::kOk;
}

}  // namespace

Status ReadLinear(Host& host, const OpSpec& spec, LinearSpec* out) {
  if (!(spec.kind == Str(kLinear))) {
    return Refuse(host, Status::kUnsupported, spec,
                  "quant makes ops of kind linear and grouped_linear, not " +
                      std::string(std::string_view(spec.kind)));
  }
  const LinearParams& params = ParamsOf<LinearParams>(spec);
  if (Status status = CheckBuffers(host, spec, params); status != Status::kOk) return status;
  *out = {spec.inputs[0],
          spec.outputs[0],
          params.has_residual != 0 ? &spec.inputs[1] : nullptr,
          {},
          spec.inputs[0].columns,
          0};
  for (int32_t i = 0; i < params.matrices; ++i) {
    const Weight* bias =
        params.has_bias != 0 ? &spec.weights[static_cast<uint64_t>(params.matrices + i)] : nullptr;
    const LinearMatrix matrix{spec.weights[static_cast<uint64_t>(i)], bias, out->columns};
    Status status = CheckMatrix(host, spec, matrix.weight, bias, out->k);
    if (status != Status::kOk) return status;
    out->columns += matrix.weight.tensor.rows;
    out->matrices.push_back(matrix);
  }
  const bool residual_fits = out->residual == nullptr || out->residual->columns == out->columns;
  if (out->out.columns != out->columns || !residual_fits) {
    return Refuse(host, Status::kInvalid, spec,
                  "the matrices have " + std::to_string(out->columns) + " rows, the output has " +
                      std::to_string(out->out.columns) + " columns" +
                      (residual_fits ? "" : ", the residual another number"));
  }
  return Status::kOk;
}

}  // namespace tenon::quant
