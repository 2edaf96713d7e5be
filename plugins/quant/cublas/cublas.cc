// SPDX-License-Identifier: Apache-2.0
#include "plugins/quant/cublas/cublas.h"

#include <algorithm>
#include <stdexcept>
#include <string>

#include "kernels/cpu/dequantize.h"
#include "plugins/quant/cublas/cublas_cuda.h"

namespace tenon::quant {
namespace {

constexpr int64_t kUploadRows = 1024;

DType TypeOf(Str text) {
  if (text == Str("f32")) return DType::kF32;
  return text == Str("f16") ? DType::kF16 : DType::kBF16;
}

cudaDataType_t CudaType(DType type) {
  if (type == DType::kF32) return CUDA_R_32F;
  return type == DType::kF16 ? CUDA_R_16F : CUDA_R_16BF;
}

// The matrices of an op on the card.
struct Part {
  void* weights;      // [outputs, inputs]
  const float* bias;  // [outputs], or null
  int32_t outputs;
  int32_t first_column;
};

const char* WhatIsWrong(const OpSpec& spec) {
  if (spec.kind != Str(kLinear)) return "quant cublas makes linears only";
  if (spec.params_bytes != sizeof(LinearParams)) return "parameters of the wrong size";
  const auto& params = ParamsOf<LinearParams>(spec);
  const auto matrices = static_cast<uint64_t>(std::max(params.matrices, 0));
  if (matrices == 0 || spec.weights.size != matrices * (1 + params.has_bias) ||
      spec.outputs.size != 1 || spec.inputs.size != 1 + params.has_residual) {
    return "wrong number of operands or weights";
  }
  int64_t outputs = 0;
  for (uint64_t i = 0; i < matrices; ++i) {
    const Tensor& matrix = spec.weights[i].tensor;
    if (spec.weights[i].scales.data != nullptr) return "weights with scales are not understood";
    if (matrix.columns != spec.inputs[0].columns) return "a matrix and the input differ in columns";
    if (!cpu::CanDequantize(matrix.dtype)) return "a matrix of a type that cannot be unpacked";
    if (params.has_bias != 0 && spec.weights[matrices + i].tensor.columns != matrix.rows) {
      return "a bias and its matrix differ in outputs";
    }
    outputs += matrix.rows;
  }
  if (outputs != spec.outputs[0].columns)
    return "the matrices' rows do not add up to the output's columns";
  for (const auto buffers : {spec.inputs, spec.outputs}) {
    for (const Buffer& buffer : buffers) {
      if (buffer.dtype != DType::kF32) return "values must be f32";
      if (buffer.max_rows > 65535)
        return "at most 65535 rows a step; lower scheduler.max_batch_tokens";
    }
  }
  return nullptr;
}

}  // namespace

class CublasLinear::Linear final : public Op {
 public:
  Linear(CublasLinear& owner, const OpSpec& spec, std::vector<Part> parts)
      : owner_(owner),
        in_(spec.inputs[0]),
        out_(spec.outputs[0]),
        residual_(ParamsOf<LinearParams>(spec).has_residual != 0
                      ? static_cast<const float*>(spec.inputs[1].data)
                      : nullptr),
        residual_stride_(residual_ != nullptr ? spec.inputs[1].row_bytes / 4 : 0),
        parts_(std::move(parts)) {}

  void Run(const Batch& batch, const Lane& lane) noexcept override {
    const int32_t rows = RowCount(batch, out_.rows);
    if (rows == 0) return;
    auto* stream = static_cast<cudaStream_t>(lane.stream);
    const void* x = in_.data;
    int64_t stride = in_.row_bytes / 4;
    if (owner_.type_ != DType::kF32) {
      LaunchRound(static_cast<const float*>(in_.data), stride, owner_.rounded_,
                  owner_.type_ == DType::kBF16, rows, in_.columns, stream);
      x = owner_.rounded_;
      stride = in_.columns;
    }
    for (const Part& part : parts_) Multiply(part, x, stride, rows, stream);
  }

 private:
  // Row-major y [rows, outputs] = x Wᵀ is column-major y' [outputs, rows] = W'ᵀ x', W' [inputs,
  // outputs].
  void Multiply(const Part& part, const void* x, int64_t x_stride, int32_t rows,
                cudaStream_t stream) noexcept {
    cublasLtMatmulDescOpaque_t product;
    cublasLtMatrixLayoutOpaque_t w;
    cublasLtMatrixLayoutOpaque_t a;
    cublasLtMatrixLayoutOpaque_t c;
    cublasLtMatrixLayoutOpaque_t d;
    const cublasOperation_t transpose = CUBLAS_OP_T;
    const auto inputs = static_cast<uint64_t>(in_.columns);
    const auto outputs = static_cast<uint64_t>(part.outputs);
    const auto count = static_cast<uint64_t>(rows);
    const cudaDataType_t type = CudaType(owner_.type_);
    float* y = static_cast<float*>(out_.data) + part.first_column;
    const float* from = residual_ != nullptr ? residual_ + part.first_column : y;
    cublasLtMatmulDescInit(&product, CUBLAS_COMPUTE_32F, CUDA_R_32F);
    cublasLtMatmulDescSetAttribute(&product, CUBLASLT_MATMUL_DESC_TRANSA, &transpose,
                                   sizeof(transpose));
    cublasLtMatrixLayoutInit(&w, type, inputs, outputs, in_.columns);
    cublasLtMatrixLayoutInit(&a, type, inputs, count, x_stride);
    cublasLtMatrixLayoutInit(&c, CUDA_R_32F, outputs, count,
                             residual_ != nullptr ? residual_stride_ : out_.row_bytes / 4);
    cublasLtMatrixLayoutInit(&d, CUDA_R_32F, outputs, count, out_.row_bytes / 4);
    const float one = 1;
    const float beta = residual_ != nullptr ? 1.0F : 0.0F;
    const cublasStatus_t status =
        cublasLtMatmul(owner_.handle_, &product, &one, part.weights, &w, x, &a, &beta, from, &c, y,
                       &d, nullptr, owner_.workspace_, owner_.workspace_bytes_, stream);
    if (status != CUBLAS_STATUS_SUCCESS)
      owner_.host_.Log(LogLevel::kError, cublasLtGetStatusString(status));
    if (part.bias != nullptr)
      LaunchAddBias(y, out_.row_bytes / 4, part.bias, rows, part.outputs, stream);
  }

  CublasLinear& owner_;
  Buffer in_;
  Buffer out_;
  const float* residual_;
  int64_t residual_stride_;
  std::vector<Part> parts_;
};

CublasLinear::CublasLinear(const CreateArgs& args)
    : host_(*args.host),
      device_(*args.device),
      type_(TypeOf(args.options.Text("weights"))),
      workspace_bytes_(static_cast<uint64_t>(args.options.Int("workspace_mib")) << 20) {
  if (device_.Info().kind != Str("cuda")) throw std::runtime_error("works on device cuda only");
  if (workspace_bytes_ > 0) {
    workspace_ = device_.Allocate(workspace_bytes_);
    if (workspace_ == nullptr)
      throw std::runtime_error("no memory for the workspace; lower workspace_mib");
  }
  if (const cublasStatus_t status = cublasLtCreate(&handle_); status != CUBLAS_STATUS_SUCCESS) {
    throw std::runtime_error(std::string("cuBLASLt does not start: ") +
                             cublasLtGetStatusString(status));
  }
}

CublasLinear::~CublasLinear() {
  if (handle_ != nullptr) cublasLtDestroy(handle_);
}

void* CublasLinear::Upload(const Weight& weight, uint64_t* bytes) {
  const Tensor& tensor = weight.tensor;
  const auto columns = static_cast<size_t>(tensor.columns);
  const uint64_t value_bytes = Layout(type_).block_bytes;
  const uint64_t all = static_cast<uint64_t>(tensor.rows) * columns * value_bytes;
  auto* card = static_cast<char*>(device_.Allocate(all));
  if (card == nullptr) return nullptr;
  std::vector<float> unpacked(columns * kUploadRows);
  std::vector<uint16_t> rounded(type_ == DType::kF32 ? 0 : unpacked.size());
  const cpu::Isa isa = cpu::ActiveIsa();
  for (int64_t first = 0; first < tensor.rows; first += kUploadRows) {
    const int64_t rows = std::min(kUploadRows, tensor.rows - first);
    const int64_t values = rows * tensor.columns;
    for (int64_t r = 0; r < rows; ++r) {
      cpu::Dequantize(isa, tensor.dtype,
                      static_cast<const char*>(tensor.data) + (first + r) * weight.row_bytes,
                      tensor.columns, unpacked.data() + static_cast<size_t>(r) * columns);
    }
    if (type_ == DType::kF16) cpu::ConvertToF16(isa, unpacked.data(), values, rounded.data());
    if (type_ == DType::kBF16) cpu::ConvertToBf16(isa, unpacked.data(), values, rounded.data());
    const void* from =
        type_ == DType::kF32 ? static_cast<const void*>(unpacked.data()) : rounded.data();
    if (device_.Copy(card + static_cast<uint64_t>(first) * columns * value_bytes, from,
                     static_cast<uint64_t>(values) * value_bytes,
                     CopyKind::kToDevice) != Status::kOk) {
      return nullptr;
    }
  }
  *bytes += all;
  return card;
}

Status CublasLinear::Reserve(const OpSpec& spec) noexcept {
  if (type_ == DType::kF32) return Status::kOk;
  const uint64_t bytes = static_cast<uint64_t>(spec.inputs[0].max_rows) *
                         static_cast<uint64_t>(spec.inputs[0].columns) * Layout(type_).block_bytes;
  if (bytes <= rounded_bytes_) return Status::kOk;
  void* larger = device_.Allocate(bytes);
  if (larger == nullptr)
    return host_.Fail(Status::kOutOfMemory, "no memory for rounded activations");
  if (rounded_ != nullptr) device_.Free(rounded_);
  rounded_ = larger;
  rounded_bytes_ = bytes;
  return Status::kOk;
}

Status CublasLinear::Plan(const OpSpec& spec, PlannedOp* out) noexcept {
  if (const char* wrong = WhatIsWrong(spec)) {
    return host_.Fail(spec.kind == Str(kLinear) ? Status::kInvalid : Status::kUnsupported, wrong);
  }
  if (const Status status = Reserve(spec); status != Status::kOk) return status;
  const auto& params = ParamsOf<LinearParams>(spec);
  std::vector<Part> parts;
  uint64_t bytes = 0;
  int32_t column = 0;
  for (int32_t i = 0; i < params.matrices; ++i) {
    const Weight& matrix = spec.weights[static_cast<uint64_t>(i)];
    Part part{Upload(matrix, &bytes), nullptr, static_cast<int32_t>(matrix.tensor.rows), column};
    if (params.has_bias != 0) {
      const Weight& bias = spec.weights[static_cast<uint64_t>(params.matrices + i)];
      std::vector<float> values(static_cast<size_t>(bias.tensor.columns));
      cpu::Dequantize(cpu::ActiveIsa(), bias.tensor.dtype, bias.tensor.data, bias.tensor.columns,
                      values.data());
      auto* card = static_cast<float*>(device_.Allocate(values.size() * sizeof(float)));
      if (card == nullptr || device_.Copy(card, values.data(), values.size() * sizeof(float),
                                          CopyKind::kToDevice) != Status::kOk) {
        return host_.Fail(Status::kOutOfMemory, "a bias could not be brought to the card");
      }
      part.bias = card;
    }
    if (part.weights == nullptr) {
      return host_.Fail(Status::kOutOfMemory, "its weights could not be brought to the card");
    }
    column += part.outputs;
    parts.push_back(part);
  }
  ops_.push_back(std::make_unique<Linear>(*this, spec, std::move(parts)));
  *out = {.op = ops_.back().get(), .split = Split::kAny, .weight_bytes = bytes};
  return Status::kOk;
}

}  // namespace tenon::quant
