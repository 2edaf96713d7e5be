// SPDX-License-Identifier: Apache-2.0
#include "plugins/quant/common/stored_weight.h"

#include <string_view>

namespace tenon::quant {
namespace {

std::string Shape(const Tensor& tensor) {
  std::string text("[");
  text.append(std::to_string(tensor.rows)).append(", ");
  return text.append(std::to_string(tensor.columns)).append("]");
}

bool Readable(const Tensor& tensor) {
  return cpu::CanDequantize(tensor.dtype) &&
         tensor.columns % Layout(tensor.dtype).block_values == 0;
}

int64_t DivideUp(int64_t a, int64_t b) { return a / b + (a % b != 0 ? 1 : 0); }

Status CheckScales(Host& host, const OpSpec& spec, const Weight& weight) {
  const Tensor& scales = weight.scales;
  if (scales.data == nullptr) return Status::kOk;
  if (scales.dtype != DType::kF32) {
    return Refuse(host, Status::kUnsupported, spec,
                  "the scales of " + Named(weight) + " are not stored as f32");
  }
  if (weight.scale_rows < 1 || weight.scale_columns < 1 ||
      scales.rows != DivideUp(weight.tensor.rows, weight.scale_rows) ||
      scales.columns != DivideUp(weight.tensor.columns, weight.scale_columns)) {
    return Refuse(host, Status::kInvalid, spec,
                  "scales " + Shape(scales) + ", one for " + std::to_string(weight.scale_rows) +
                      " rows and " + std::to_string(weight.scale_columns) +
                      " columns, do not cover " + Named(weight));
  }
  return Status::kOk;
}

}  // namespace

Status Refuse(Host& host, Status status, const OpSpec& spec, const std::string& why) {
  const std::string text = std::string(std::string_view(spec.name)) + ": " + why;
  return host.Fail(status, std::string_view(text));
}

std::string Named(const Weight& weight) {
  std::string text("\"");
  return text.append(std::string_view(weight.name)).append("\" ").append(Shape(weight.tensor));
}

Status CheckMatrix(Host& host, const OpSpec& spec, const Weight& weight, const Weight* bias,
                   int64_t k) {
  const Tensor& w = weight.tensor;
  if (!Readable(w)) {
    const bool known = static_cast<uint32_t>(w.dtype) < kDTypeCount;
    return Refuse(host, Status::kUnsupported, spec,
                  Named(weight) + " is stored as " +
                      (known ? Layout(w.dtype).name : "no known type") +
                      ", which cannot be multiplied here in that shape");
  }
  if (w.rows < 1 || w.columns != k) {
    return Refuse(host, Status::kInvalid, spec,
                  Named(weight) + " does not fit an input of " + std::to_string(k) + " columns");
  }
  if (Status status = CheckScales(host, spec, weight); status != Status::kOk) return status;
  if (bias == nullptr) return Status::kOk;
  if (bias->scales.data != nullptr) {
    return Refuse(
        host, Status::kUnsupported, spec,
        "the bias " + Named(*bias) + " has scales, which are understood of matrices only");
  }
  if (!Readable(bias->tensor) || bias->tensor.rows != 1 || bias->tensor.columns != w.rows) {
    return Refuse(host, Status::kInvalid, spec,
                  "the bias " + Named(*bias) + " does not fit " + Named(weight));
  }
  return Status::kOk;
}

cpu::BlockScales ScalesOf(const Weight& weight) {
  if (weight.scales.data == nullptr) return {};
  return {weight.scales.data, weight.scales.columns, weight.scale_rows, weight.scale_columns, 0};
}

void CopyBias(const Weight& bias, float* out) {
  cpu::Dequantize(cpu::Isa::kGeneric, bias.tensor.dtype, bias.tensor.data, bias.tensor.columns,
                  out);
}

}  // namespace tenon::quant
