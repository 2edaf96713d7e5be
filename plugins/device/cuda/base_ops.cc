// SPDX-License-Identifier: Apache-2.0
#include "plugins/device/cuda/base_ops.h"

#include <string>
#include <vector>

#include "kernels/cpu/dequantize.h"
#include "plugins/device/cuda/base_ops_cuda.h"

namespace tenon::cuda {
namespace {

constexpr int32_t kMaxRows = 65535;  // of a launch: blockIdx.y

Matrix MatrixOf(const Buffer& buffer) {
  return {static_cast<float*>(buffer.data), buffer.row_bytes / static_cast<int64_t>(sizeof(float)),
          buffer.columns};
}

cudaStream_t StreamOf(const Lane& lane) { return static_cast<cudaStream_t>(lane.stream); }

// What all base ops hold.
struct Bound {
  Matrix in[2];
  Matrix out;
  RowSet rows;
  const float* weight = nullptr;  // on the card
};

class EmbedOp final : public CudaOp {
 public:
  EmbedOp(const Bound& bound, const EmbedParams& params) : bound_(bound), params_(params) {}
  void Run(const Batch& batch, const Lane& lane) noexcept override {
    LaunchEmbed(bound_.out, bound_.weight, batch.token_ids, batch.tokens, params_.scale,
                StreamOf(lane));
  }

 private:
  Bound bound_;
  EmbedParams params_;
};

class RmsNormOp final : public CudaOp {
 public:
  RmsNormOp(const Bound& bound, const RmsNormParams& params) : bound_(bound), params_(params) {}
  void Run(const Batch& batch, const Lane& lane) noexcept override {
    const int32_t rows = RowCount(batch, bound_.rows);
    if (rows > 0)
      LaunchRmsNorm(bound_.out, bound_.in[0], bound_.weight, rows, params_, StreamOf(lane));
  }

 private:
  Bound bound_;
  RmsNormParams params_;
};

class RopeOp final : public CudaOp {
 public:
  RopeOp(const Bound& bound, const RopeParams& params) : bound_(bound), params_(params) {}
  void Run(const Batch& batch, const Lane& lane) noexcept override {
    LaunchRope(bound_.out, bound_.weight, batch.positions, batch.tokens, params_, StreamOf(lane));
  }

 private:
  Bound bound_;
  RopeParams params_;
};

class GluOp final : public CudaOp {
 public:
  GluOp(const Bound& bound, const GluParams& params) : bound_(bound), params_(params) {}
  void Run(const Batch& batch, const Lane& lane) noexcept override {
    const int32_t rows = RowCount(batch, bound_.rows);
    if (rows > 0)
      LaunchGlu(bound_.out, bound_.in[0], bound_.in[1], rows, params_.activation, StreamOf(lane));
  }

 private:
  Bound bound_;
  GluParams params_;
};

class AddOp final : public CudaOp {
 public:
  explicit AddOp(const Bound& bound) : bound_(bound) {}
  void Run(const Batch& batch, const Lane& lane) noexcept override {
    const int32_t rows = RowCount(batch, bound_.rows);
    if (rows > 0) LaunchAdd(bound_.out, bound_.in[0], bound_.in[1], rows, StreamOf(lane));
  }

 private:
  Bound bound_;
};

class SoftCapOp final : public CudaOp {
 public:
  SoftCapOp(const Bound& bound, const SoftCapParams& params) : bound_(bound), params_(params) {}
  void Run(const Batch& batch, const Lane& lane) noexcept override {
    const int32_t rows = RowCount(batch, bound_.rows);
    if (rows > 0) LaunchSoftCap(bound_.out, bound_.in[0], rows, params_.cap, StreamOf(lane));
  }

 private:
  Bound bound_;
  SoftCapParams params_;
};

class GatherRowsOp final : public CudaOp {
 public:
  explicit GatherRowsOp(const Bound& bound) : bound_(bound) {}
  void Run(const Batch& batch, const Lane& lane) noexcept override {
    if (batch.logit_rows == 0) return;
    LaunchGatherRows(bound_.out, bound_.in[0], batch.logit_row_tokens, batch.logit_rows,
                     StreamOf(lane));
  }

 private:
  Bound bound_;
};

// A stored weight as f32 on the card; null where memory or the copy fails.
const float* UploadAsF32(const Weight& weight, Device& device, uint64_t* bytes) {
  const auto columns = static_cast<uint64_t>(weight.tensor.columns);
  *bytes = static_cast<uint64_t>(weight.tensor.rows) * columns * sizeof(float);
  auto* card = static_cast<float*>(device.Allocate(*bytes));
  if (card == nullptr || !cpu::CanDequantize(weight.tensor.dtype)) return nullptr;
  // In runs of rows: the whole table of a large vocabulary need not be in host memory twice.
  constexpr int64_t kRows = 1024;
  std::vector<float> rows(static_cast<size_t>(kRows) * columns);
  for (int64_t first = 0; first < weight.tensor.rows; first += kRows) {
    const int64_t count = std::min(kRows, weight.tensor.rows - first);
    for (int64_t r = 0; r < count; ++r) {
      cpu::Dequantize(cpu::ActiveIsa(), weight.tensor.dtype,
                      static_cast<const char*>(weight.tensor.data) + (first + r) * weight.row_bytes,
                      weight.tensor.columns, rows.data() + static_cast<uint64_t>(r) * columns);
    }
    if (device.Copy(card + static_cast<uint64_t>(first) * columns, rows.data(),
                    static_cast<uint64_t>(count) * columns * sizeof(float),
                    CopyKind::kToDevice) != Status::kOk) {
      return nullptr;
    }
  }
  return card;
}

struct Shape {
  const char* kind;
  uint64_t inputs;
  uint64_t weights;
  uint64_t params_bytes;
};

constexpr Shape kShapes[] = {
    {kEmbed, 0, 1, sizeof(EmbedParams)},
    {kRmsNorm, 1, 1, sizeof(RmsNormParams)},
    {kRope, 1, 1, sizeof(RopeParams)},
    {kGlu, 2, 0, sizeof(GluParams)},
    {kAdd, 2, 0, sizeof(AddParams)},
    {kSoftCap, 1, 0, sizeof(SoftCapParams)},
    {kGatherRows, 1, 0, sizeof(GatherRowsParams)},
};

const char* WhatIsWrong(const OpSpec& spec, const Shape& shape) {
  if (spec.inputs.size != shape.inputs || spec.outputs.size != 1 ||
      spec.weights.size != shape.weights) {
    return "wrong number of operands or weights";
  }
  if (spec.params_bytes != shape.params_bytes) return "parameters of the wrong size";
  for (const auto buffers : {spec.inputs, spec.outputs}) {
    for (const Buffer& buffer : buffers) {
      if (buffer.dtype != DType::kF32) return "values must be f32";
      if (buffer.max_rows > kMaxRows)
        return "at most 65535 rows a step; lower scheduler.max_batch_tokens";
    }
  }
  for (const Buffer& input : spec.inputs) {
    if (input.columns != spec.outputs[0].columns) return "inputs and output differ in columns";
  }
  if (shape.kind == kRmsNorm) {
    const auto& params = ParamsOf<RmsNormParams>(spec);
    if (params.group <= 0 || spec.outputs[0].columns % params.group != 0)
      return "group must divide the columns";
    if (spec.weights[0].tensor.columns != params.group)
      return "the weight must have a value for each of a group";
  }
  if (shape.kind == kRope) {
    const auto& params = ParamsOf<RopeParams>(spec);
    if (params.heads * params.head_dim != spec.outputs[0].columns ||
        params.rotary_dim > params.head_dim || params.rotary_dim % 2 != 0 ||
        spec.weights[0].tensor.columns * 2 != params.rotary_dim) {
      return "heads, widths and frequencies do not fit together";
    }
  }
  if (shape.kind == kEmbed && spec.weights[0].tensor.columns != spec.outputs[0].columns) {
    return "the table and the output differ in columns";
  }
  return nullptr;
}

std::unique_ptr<CudaOp> Make(const OpSpec& spec, const Shape& shape, const Bound& bound) {
  if (shape.kind == kEmbed) return std::make_unique<EmbedOp>(bound, ParamsOf<EmbedParams>(spec));
  if (shape.kind == kRmsNorm)
    return std::make_unique<RmsNormOp>(bound, ParamsOf<RmsNormParams>(spec));
  if (shape.kind == kRope) return std::make_unique<RopeOp>(bound, ParamsOf<RopeParams>(spec));
  if (shape.kind == kGlu) return std::make_unique<GluOp>(bound, ParamsOf<GluParams>(spec));
  if (shape.kind == kAdd) return std::make_unique<AddOp>(bound);
  if (shape.kind == kSoftCap)
    return std::make_unique<SoftCapOp>(bound, ParamsOf<SoftCapParams>(spec));
  return std::make_unique<GatherRowsOp>(bound);
}

}  // namespace

std::unique_ptr<CudaOp> PlanBaseOp(const OpSpec& spec, Host& host, Device& device,
                                   uint64_t* weight_bytes, Status* status) {
  const auto fail = [&](Status code, const std::string& text) {
    *status = host.Fail(code, Str(text));
    return nullptr;
  };
  for (const Shape& shape : kShapes) {
    if (spec.kind != Str(shape.kind)) continue;
    if (const char* wrong = WhatIsWrong(spec, shape)) return fail(Status::kInvalid, wrong);
    Bound bound{.in = {}, .out = MatrixOf(spec.outputs[0]), .rows = spec.outputs[0].rows};
    for (uint64_t i = 0; i < spec.inputs.size; ++i) bound.in[i] = MatrixOf(spec.inputs[i]);
    if (!spec.weights.empty()) {
      bound.weight = UploadAsF32(spec.weights[0], device, weight_bytes);
      if (bound.weight == nullptr) {
        return fail(Status::kOutOfMemory, "its weight could not be brought to the card");
      }
    }
    *status = Status::kOk;
    return Make(spec, shape, bound);
  }
  return fail(Status::kUnsupported,
              "device cuda has no op of kind " + std::string(std::string_view(spec.kind)));
}

}  // namespace tenon::cuda
