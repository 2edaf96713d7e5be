// SPDX-License-Identifier: Apache-2.0
#include "sample.h"

#include <bit>
#include <cstring>
#include <new>
#include <string>
#include <string_view>

#include "tenon/ops.h"

namespace first {
namespace {

constexpr int32_t kPanel = 32;  // outputs that a lane claims at once

float FromF16(uint16_t half) {
  const uint32_t sign = (half & 0x8000u) << 16, exponent = half >> 10 & 31, fraction = half & 1023;
  if (exponent == 0) {
    const float magnitude = static_cast<float>(fraction) * 0x1p-24f;
    return sign != 0 ? -magnitude : magnitude;
  }
  const uint32_t wide = exponent == 31 ? 255 : exponent + 112;
  return std::bit_cast<float>(sign | wide << 23 | fraction << 13);
}

uint16_t Load16(const uint8_t* from) {
  uint16_t value;
  std::memcpy(&value, from, sizeof(value));
  return value;
}

// Sixteen sums side by side, which the compiler keeps in vector registers, added in a fixed order.
float DotProduct(const float* a, const float* b, int64_t count) {
  float sums[16] = {};
  int64_t i = 0;
  for (; i + 16 <= count; i += 16) {
    for (int64_t j = 0; j < 16; ++j) sums[j] += a[i + j] * b[i + j];
  }
  for (; i < count; ++i) sums[0] += a[i] * b[i];
  float sum = 0;
  for (const float part : sums) sum += part;
  return sum;
}

float* RowOf(const tenon::Buffer& buffer, int32_t row) {
  return reinterpret_cast<float*>(static_cast<uint8_t*>(buffer.data) + row * buffer.row_bytes);
}

bool CanUnpack(const tenon::Weight& weight) {
  const tenon::DType dtype = weight.tensor.dtype;
  return weight.scales.data == nullptr &&
         (dtype == tenon::DType::kF32 || dtype == tenon::DType::kF16 ||
          dtype == tenon::DType::kBF16 || dtype == tenon::DType::kQ8_0);
}

}  // namespace

void Unpack(tenon::DType dtype, const void* from, int64_t values, float* to) {
  const auto* bytes = static_cast<const uint8_t*>(from);
  switch (dtype) {
    case tenon::DType::kF32:
      std::memcpy(to, from, static_cast<size_t>(values) * sizeof(float));
      break;
    case tenon::DType::kF16:
      for (int64_t i = 0; i < values; ++i) to[i] = FromF16(Load16(bytes + 2 * i));
      break;
    case tenon::DType::kBF16:
      for (int64_t i = 0; i < values; ++i) {
        to[i] = std::bit_cast<float>(uint32_t{Load16(bytes + 2 * i)} << 16);
      }
      break;
    default:  // q8_0: blocks of an f16 scale and 32 int8
      for (int64_t i = 0; i < values; ++i) {
        const uint8_t* block = bytes + i / 32 * 34;
        to[i] = FromF16(Load16(block)) * static_cast<float>(static_cast<int8_t>(block[2 + i % 32]));
      }
  }
}

// out = x · Wᵀ (+ bias) (+ residual), W = the matrices stacked by rows, in f32.
class SampleOp final : public tenon::Op {
 public:
  // `memory` is [outputs, inputs] and then [outputs], of `device`; the op frees it.
  SampleOp(const tenon::OpSpec& spec, tenon::Device* device, float* memory)
      : x_(spec.inputs[0]),
        out_(spec.outputs[0]),
        device_(device),
        weights_(memory),
        biases_(memory + int64_t{out_.columns} * x_.columns) {
    const auto& p = tenon::ParamsOf<tenon::LinearParams>(spec);
    if (p.has_residual != 0) residual_ = spec.inputs[1];
    int64_t first = 0;
    for (uint64_t m = 0; m < static_cast<uint64_t>(p.matrices); ++m) {
      const tenon::Weight& weight = spec.weights[m];
      const auto* rows = static_cast<const uint8_t*>(weight.tensor.data);
      for (int64_t row = 0; row < weight.tensor.rows; ++row) {
        Unpack(weight.tensor.dtype, rows + row * weight.row_bytes, x_.columns,
               weights_ + (first + row) * x_.columns);
      }
      if (p.has_bias != 0) {
        const tenon::Tensor& bias = spec.weights[static_cast<uint64_t>(p.matrices) + m].tensor;
        Unpack(bias.dtype, bias.data, bias.columns, biases_ + first);
      }
      first += weight.tensor.rows;
    }
  }
  ~SampleOp() { device_->Free(weights_); }
  SampleOp(const SampleOp&) = delete;
  SampleOp& operator=(const SampleOp&) = delete;

  void Run(const tenon::Batch& batch, const tenon::Lane& lane) noexcept override {
    const int32_t rows = tenon::RowCount(batch, x_.rows);
    for (int64_t i = lane.Claim() * kPanel; i < out_.columns; i = lane.Claim() * kPanel) {
      const int64_t end = i + kPanel < out_.columns ? i + kPanel : out_.columns;
      for (int32_t t = 0; t < rows; ++t) {
        for (int64_t n = i; n < end; ++n) {
          const float sum =
              DotProduct(RowOf(x_, t), weights_ + n * x_.columns, x_.columns) + biases_[n];
          RowOf(out_, t)[n] = residual_.data == nullptr ? sum : sum + RowOf(residual_, t)[n];
        }
      }
    }
  }

 private:
  const tenon::Buffer x_, out_;
  tenon::Buffer residual_ = {};
  tenon::Device* const device_;
  float* const weights_;
  float* const biases_;  // 0 where there are none
};

Sample::Sample(const tenon::CreateArgs& args) : host_(*args.host), device_(args.device) {}

Sample::~Sample() = default;

tenon::Status Sample::CheckOperands(const tenon::OpSpec& spec) noexcept {
  if (!(spec.kind == tenon::Str(tenon::kLinear)) ||
      spec.params_bytes != sizeof(tenon::LinearParams)) {
    return host_.Fail(tenon::Status::kUnsupported, "first.sample makes ops of kind linear only");
  }
  const auto& p = tenon::ParamsOf<tenon::LinearParams>(spec);
  const uint64_t matrices = p.matrices < 1 ? 0 : static_cast<uint64_t>(p.matrices);
  bool fits = matrices > 0 && spec.weights.size == matrices * (p.has_bias != 0 ? 2 : 1) &&
              spec.inputs.size == (p.has_residual != 0 ? 2u : 1u) && spec.outputs.size == 1;
  int64_t outputs = 0;
  for (uint64_t i = 0; fits && i < spec.weights.size; ++i) {
    if (!CanUnpack(spec.weights[i])) {
      return host_.Fail(tenon::Status::kUnsupported,
                        "first.sample reads f32, f16, bf16 and q8_0 weights");
    }
    const tenon::Tensor& tensor = spec.weights[i].tensor;
    if (i < matrices) outputs += tensor.rows;
    fits = tensor.columns ==
           (i < matrices ? spec.inputs[0].columns : spec.weights[i - matrices].tensor.rows);
  }
  for (uint64_t i = 0; fits && i <= spec.inputs.size; ++i) {
    const tenon::Buffer& buffer = i < spec.inputs.size ? spec.inputs[i] : spec.outputs[0];
    fits = buffer.dtype == tenon::DType::kF32 && (i == 0 || buffer.columns == outputs);
  }
  return fits ? tenon::Status::kOk
              : host_.Fail(tenon::Status::kInvalid,
                           "the operands of a linear do not fit its matrices; all of them in f32");
}

tenon::Status Sample::Plan(const tenon::OpSpec& spec, tenon::PlannedOp* out) noexcept try {
  if (device_ == nullptr || !(device_->Info().kind == tenon::Str("cpu"))) {
    return host_.Fail(tenon::Status::kUnsupported, "first.sample runs on the device \"cpu\" only");
  }
  if (const tenon::Status s = CheckOperands(spec); s != tenon::Status::kOk) return s;
  const uint64_t bytes = sizeof(float) * static_cast<uint64_t>(spec.outputs[0].columns) *
                         (static_cast<uint64_t>(spec.inputs[0].columns) + 1);
  ops_.reserve(ops_.size() + 1);
  auto* memory = static_cast<float*>(device_->Allocate(bytes));
  if (memory == nullptr) {
    return host_.Fail(tenon::Status::kOutOfMemory, "no memory for weights in f32");
  }
  ops_.push_back(std::make_unique<SampleOp>(spec, device_, memory));
  *out = {ops_.back().get(), tenon::Split::kAny, bytes, 0};
  return tenon::Status::kOk;
} catch (const std::bad_alloc&) {
  return host_.Fail(tenon::Status::kOutOfMemory, "no memory to plan a linear");
}

uint64_t Sample::WeightBytes(const tenon::Node& node) noexcept {
  uint64_t values = 0;
  for (const tenon::Weight& weight : node.weights) {
    values += static_cast<uint64_t>(weight.tensor.rows * (weight.tensor.columns + 1));
  }
  return values * sizeof(float);
}

}  // namespace first
