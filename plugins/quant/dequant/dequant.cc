// SPDX-License-Identifier: Apache-2.0
#include "plugins/quant/dequant/dequant.h"

#include <algorithm>
#include <string>
#include <string_view>

#include "kernels/cpu/exact_gemm.h"
#include "plugins/quant/common/cpu_device.h"
#include "plugins/quant/common/grouped_spec.h"
#include "plugins/quant/common/linear_spec.h"
#include "plugins/quant/dequant/grouped.h"
#include "plugins/quant/dequant/unpack.h"

namespace tenon::quant {

// out = x · Wᵀ (+ bias) (+ residual), W one dense matrix of f32 or bf16. Lanes claim panels of its
// rows.
class DequantLinear final : public Op {
 public:
  DequantLinear(Device& device, WeightArena& arena, cpu::Isa isa, DType type)
      : device_(device), arena_(arena), isa_(isa), type_(type) {}
  DequantLinear(const DequantLinear&) = delete;
  DequantLinear& operator=(const DequantLinear&) = delete;

  Status Load(const LinearSpec& spec, PlannedOp* planned);
  void Run(const Batch& batch, const Lane& lane) noexcept override;

 private:
  template <typename T>
  T* Allocate(int64_t values, uint64_t* bytes) {
    return static_cast<T*>(arena_.Allocate(static_cast<uint64_t>(values) * sizeof(T), bytes));
  }
  int64_t row_bytes() const { return k_ * Layout(type_).block_bytes; }

  Device& device_;
  WeightArena& arena_;
  cpu::Isa isa_;
  DType type_;
  Buffer x_{}, out_{}, residual_{};
  int64_t k_ = 0;
  int64_t columns_ = 0;
  uint8_t* weights_ = nullptr;  // [columns, k]
  float* biases_ = nullptr;     // [columns], or null
  float* scratch_ = nullptr;    // [lanes, ExactScratchFloats(k)]
};

Status DequantLinear::Load(const LinearSpec& spec, PlannedOp* planned) {
  x_ = spec.x;
  out_ = spec.out;
  if (spec.residual != nullptr) residual_ = *spec.residual;
  k_ = spec.k;
  columns_ = spec.columns;
  const int64_t lanes = std::max(device_.Info().lanes, 1);
  weights_ = Allocate<uint8_t>(columns_ * row_bytes(), &planned->weight_bytes);
  scratch_ = Allocate<float>(lanes * cpu::ExactScratchFloats(k_), &planned->scratch_bytes);
  if (weights_ == nullptr || scratch_ == nullptr) return Status::kOutOfMemory;
  if (spec.matrices[0].bias != nullptr) {
    biases_ = Allocate<float>(columns_, &planned->weight_bytes);
    if (biases_ == nullptr) return Status::kOutOfMemory;
  }
  for (const LinearMatrix& matrix : spec.matrices) {
    Unpack(device_,
           {{&matrix.weight, 1}, isa_, type_, weights_ + matrix.first_column * row_bytes()});
    if (matrix.bias != nullptr) CopyBias(*matrix.bias, biases_ + matrix.first_column);
  }
  return Status::kOk;
}

void DequantLinear::Run(const Batch& batch, const Lane& lane) noexcept {
  const int32_t rows = RowCount(batch, x_.rows);
  if (rows == 0) return;
  constexpr int64_t kPiece = 2 * cpu::kExactPanelRows;
  const float* residual = static_cast<const float*>(residual_.data);
  for (int64_t row = lane.Claim() * kPiece; row < columns_; row = lane.Claim() * kPiece) {
    cpu::ExactGemm gemm{};
    gemm.x = static_cast<const float*>(x_.data);
    gemm.x_stride = x_.row_bytes / int64_t{sizeof(float)};
    gemm.tokens = rows;
    gemm.type = type_;
    gemm.w = weights_ + row * row_bytes();
    gemm.row_bytes = row_bytes();
    gemm.rows = std::min(kPiece, columns_ - row);
    gemm.k = k_;
    gemm.epilogue = {static_cast<float*>(out_.data) + row, out_.row_bytes / int64_t{sizeof(float)},
                     biases_ == nullptr ? nullptr : biases_ + row,
                     residual == nullptr ? nullptr : residual + row,
                     residual_.row_bytes / int64_t{sizeof(float)}};
    gemm.scratch = scratch_ + lane.index * cpu::ExactScratchFloats(k_);
    cpu::RunExactGemm(isa_, gemm);
  }
}

DequantQuant::DequantQuant(const CreateArgs& args)
    : host_(*args.host),
      device_(*args.device),
      isa_(IsaOfDevice(args.device->Info(), "dequant")),
      type_(args.options.Text("weights") == Str("bf16") ? DType::kBF16 : DType::kF32),
      arena_(*args.device) {}

DequantQuant::~DequantQuant() = default;

template <typename Planned, typename ReadSpec>
Status DequantQuant::PlanAs(const OpSpec& spec, const ReadSpec& read,
                            std::vector<std::unique_ptr<Planned>>& ops, PlannedOp* out) {
  auto op = std::make_unique<Planned>(device_, arena_, isa_, type_);
  PlannedOp planned{op.get(), Split::kAny, 0, 0};
  if (Status status = op->Load(read, &planned); status != Status::kOk) {
    return Refuse(host_, status, spec,
                  std::string("no memory for its weights as ") + Layout(type_).name);
  }
  ops.push_back(std::move(op));
  *out = planned;
  return Status::kOk;
}

Status DequantQuant::Plan(const OpSpec& spec, PlannedOp* out) noexcept {
  try {
    if (spec.kind == Str(kGroupedLinear)) {
      GroupedSpec grouped;
      const Status status = ReadGrouped(host_, spec, &grouped);
      return status == Status::kOk ? PlanAs(spec, grouped, grouped_, out) : status;
    }
    LinearSpec linear;
    const Status status = ReadLinear(host_, spec, &linear);
    return status == Status::kOk ? PlanAs(spec, linear, linears_, out) : status;
  } catch (const std::exception& error) {
    return host_.Fail(Status::kOutOfMemory, std::string_view(error.what()));
  }
}

uint64_t DequantQuant::WeightBytes(const Node& node) noexcept {
  uint64_t bytes = 0;
  for (const Weight& weight : node.weights) {
    bytes += BytesOf(type_, static_cast<uint64_t>(weight.tensor.rows * weight.tensor.columns));
  }
  return bytes;
}

}  // namespace tenon::quant
