// SPDX-License-Identifier: Apache-2.0
#include "plugins/quant/common/linear_spec.h"

#include <string>
#include <string_view>

#include "kernels/cpu/dequantize.h"

namespace tenon::quant {
namespace {

std::string Shape(const Tensor& tensor) {
  std::string text("[");
  text.append(std::to_string(tensor.rows)).append(", ");
  return text.append(std::to_string(tensor.columns)).append("]");
}

std::string Named(const Weight& weight) {
  std::string text("\"");
  return text.append(std::string_view(weight.name)).append("\" ").append(Shape(weight.tensor));
}

bool Readable(const Tensor& tensor) {
  return cpu::CanDequantize(tensor.dtype) &&
         tensor.columns % Layout(tensor.dtype).block_values == 0;
}

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

Status CheckMatrix(Host& host, const OpSpec& spec, const LinearMatrix& matrix, int64_t k) {
  const Tensor& w = matrix.weight.tensor;
  if (!Readable(w)) {
    return Refuse(host, Status::kUnsupported, spec,
                  Named(matrix.weight) + " is stored as " + Layout(w.dtype).name +
                      ", which cannot be multiplied here in that shape");
  }
  if (w.rows < 1 || w.columns != k) {
    return Refuse(
        host, Status::kInvalid, spec,
        Named(matrix.weight) + " does not fit an input of " + std::to_string(k) + " columns");
  }
  if (matrix.bias == nullptr) return Status::kOk;
  const Tensor& bias = matrix.bias->tensor;
  if (!Readable(bias) || bias.rows != 1 || bias.columns != w.rows) {
    return Refuse(host, Status::kInvalid, spec,
                  "the bias " + Named(*matrix.bias) + " does not fit " + Named(matrix.weight));
  }
  return Status::kOk;
}

}  // namespace

Status Refuse(Host& host, Status status, const OpSpec& spec, const std::string& why) {
  const std::string text = std::string(std::string_view(spec.name)) + ": " + why;
  return host.Fail(status, std::string_view(text));
}

Status ReadLinear(Host& host, const OpSpec& spec, LinearSpec* out) {
  if (!(spec.kind == Str(kLinear))) {
    return Refuse(
        host, Status::kUnsupported, spec,
        "quant makes ops of kind linear, not " + std::string(std::string_view(spec.kind)));
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
    if (Status status = CheckMatrix(host, spec, matrix, out->k); status != Status::kOk)
      return status;
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

void CopyBias(const Weight& bias, float* out) {
  cpu::Dequantize(cpu::Isa::kGeneric, bias.tensor.dtype, bias.tensor.data, bias.tensor.columns,
                  out);
}

}  // namespace tenon::quant
