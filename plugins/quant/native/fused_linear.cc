// SPDX-License-Identifier: Apache-2.0
#include "plugins/quant/native/fused_linear.h"

#include <algorithm>
#include <array>
#include <string>

#include "kernels/cpu/int8_activations.h"
#include "kernels/cpu/int8_panels.h"
#include "plugins/quant/native/late_add.h"
#include "plugins/quant/native/linear.h"
#include "plugins/quant/native/quantize.h"

namespace tenon::quant {
namespace {

template <typename T>
T* RowOf(const Buffer& buffer, int64_t row) {
  return reinterpret_cast<T*>(static_cast<char*>(buffer.data) + row * buffer.row_bytes);
}

// The linear inside: its operands as a linear of its own would have them.
struct InnerLinear {
  std::array<Buffer, 2> inputs;
  Buffer out;
  OpSpec spec;
};

bool InnerOf(const OpSpec& spec, const FusedLinearParams& params, InnerLinear* inner) {
  const uint64_t norms = params.has_norm + params.has_post_norm;
  const uint64_t inputs = 1 + params.linear.has_residual;
  if (spec.inputs.size != inputs + params.has_post_norm || spec.weights.size <= norms ||
      spec.outputs.size != 1 + params.has_post_norm || params.has_norm < params.has_post_norm) {
    return false;
  }
  for (uint64_t i = 0; i < inputs; ++i) inner->inputs[i] = spec.inputs[i];
  inner->out = spec.outputs[0];
  if (params.rounded_x != 0) {
    inner->inputs[0].dtype = DType::kF32;
    inner->inputs[0].columns = static_cast<int32_t>(spec.weights[0].tensor.columns);
  }
  if (params.rounded_out != 0) {
    inner->out.dtype = DType::kF32;
    inner->out.columns /= kRoundedBytes;
  }
  if (params.has_glu != 0) inner->out.columns *= 2;
  inner->spec = spec;
  inner->spec.kind = kLinear;
  inner->spec.inputs = {inner->inputs.data(), inputs};
  inner->spec.outputs = {&inner->out, 1};
  inner->spec.weights.size -= norms;
  inner->spec.params = &params.linear;
  inner->spec.params_bytes = sizeof(params.linear);
  return true;
}

bool AllPackable(const LinearSpec& linear) {
  return std::all_of(linear.matrices.begin(), linear.matrices.end(), [](const LinearMatrix& m) {
    return m.weight.scales.data == nullptr && cpu::CanPackInt8(m.weight.tensor.dtype);
  });
}

bool IsGatePair(const LinearSpec& linear, int64_t unit_columns) {
  if (linear.matrices.size() != 2 || linear.residual != nullptr) return false;
  const Tensor& gate = linear.matrices[0].weight.tensor;
  const Tensor& up = linear.matrices[1].weight.tensor;
  return gate.dtype == up.dtype && gate.rows == up.rows && gate.rows % unit_columns == 0;
}

}  // namespace

Status FusedLinear::Load(Host& host, const OpSpec& spec, PlannedOp* planned) {
  params_ = ParamsOf<FusedLinearParams>(spec);
  InnerLinear inner{};
  if (!InnerOf(spec, params_, &inner)) {
    return Refuse(host, Status::kInvalid, spec, "the operands do not fit what is fused");
  }
  LinearSpec linear;
  if (Status status = ReadLinear(host, inner.spec, &linear); status != Status::kOk) return status;
  glu_ = params_.has_glu != 0 ? cpu::GluOf(isa_, params_.glu.activation) : nullptr;
  const uint64_t first_norm = inner.spec.weights.size;
  const bool has_norm = params_.has_norm != 0, has_post_norm = params_.has_post_norm != 0;
  if (!AllPackable(linear) ||
      (params_.rounded_x != 0 && spec.inputs[0].row_bytes != linear.k * kRoundedBytes) ||
      (params_.has_glu != 0 && (glu_ == nullptr || !IsGatePair(linear, kUnitColumns))) ||
      (has_norm && !IsRowNorm(params_.norm, spec.weights[first_norm], linear.k)) ||
      (has_post_norm && !IsRowNorm(params_.post_norm, spec.weights[first_norm + 1], linear.k))) {
    return Refuse(host, Status::kInvalid, spec, "these ops cannot be fused");
  }
  k_ = linear.k;
  x_ = spec.inputs[0];
  out_ = spec.outputs[0];
  if (linear.residual != nullptr) residual_ = *linear.residual;
  if (has_post_norm) base_ = spec.outputs[1];

  uint64_t* bytes = &planned->weight_bytes;
  Status status =
      glu_ != nullptr ? parts_.LoadInterleaved(linear, bytes) : parts_.Load(linear, true, bytes);
  if (status == Status::kOk && has_norm) {
    status = norm_.Load(isa_, arena_, params_.norm, spec.weights[first_norm], bytes);
  }
  if (status == Status::kOk && has_post_norm) {
    status = post_norm_.Load(isa_, arena_, params_.post_norm, spec.weights[first_norm + 1], bytes);
  }
  if (status == Status::kOk) {
    const int64_t scratch = std::max(k_, kRunRows * 2 * kUnitColumns);
    const int64_t rounded = params_.rounded_x != 0 ? 0 : x_.max_rows;
    status = workspace_.Reserve(k_, rounded, scratch, &planned->scratch_bytes);
  }
  if (status != Status::kOk) {
    return Refuse(host, status, spec, "no memory for the packed weights or their scratch");
  }
  return status;
}

const cpu::Int8Block* FusedLinear::Inputs(int32_t rows, const Lane& lane) noexcept {
  if (params_.rounded_x != 0) return static_cast<const cpu::Int8Block*>(x_.data);
  float* scratch = static_cast<float*>(workspace_.lane_scratch[static_cast<size_t>(lane.index)]);
  const auto add = cpu::ActivationsOf(isa_).add;
  const bool keep = !AddedLate(rows);
  const auto round = [&](int32_t t, cpu::Int8Block* out) {
    const float* x = RowOf<const float>(x_, t);
    if (params_.has_post_norm != 0) {
      float* base = RowOf<float>(base_, t);
      post_norm_.Run(x, scratch);
      add(base, scratch, k_, keep ? base : scratch);
      x = keep ? base : scratch;
    }
    if (params_.has_norm != 0) {
      norm_.Run(x, scratch);
      x = scratch;
    }
    cpu::QuantizeInt8(isa_, x, k_, out);
  };
  return RoundInputs(workspace_, rows, k_, lane, round);
}

void FusedLinear::MultiplyGlu(const GridPiece& piece, const cpu::Int8Block* quantized,
                              float* scratch) const noexcept {
  constexpr int64_t kPanels = 2 * LinearParts::kUnitPanels;
  constexpr int64_t kStride = 2 * kUnitColumns;
  ProductRows product{};
  product.rows = piece.end_row - piece.first_row;
  product.quantized = quantized + piece.first_row * cpu::Int8Blocks(k_);
  product.out.out = scratch;
  product.out.out_stride = kStride;
  for (int64_t unit = piece.first; unit < piece.end; ++unit) {
    const int64_t next = unit + 1 < piece.end ? unit + 1 : piece.next;
    product.out_column = unit * kStride;
    parts_.Multiply(unit * kPanels, (unit + 1) * kPanels, next * kPanels, product);
    Activate(unit, piece.first_row, piece.end_row, scratch);
  }
}

// Of the product of one unit, [rows, gate and up columns] at `scratch`.
void FusedLinear::Activate(int64_t unit, int64_t first_row, int64_t end_row,
                           float* scratch) const noexcept {
  constexpr int64_t kStride = 2 * kUnitColumns;
  const bool rounded = params_.rounded_out != 0;
  for (int64_t row = first_row; row < end_row; ++row) {
    float* gate = scratch + (row - first_row) * kStride;
    glu_(gate, gate + kUnitColumns, kUnitColumns,
         rounded ? gate : RowOf<float>(out_, row) + unit * kUnitColumns);
  }
  if (!rounded) return;
  static_assert(kUnitColumns == cpu::kInt8BlockValues);
  cpu::QuantizeInt8Column(
      isa_, {scratch, kStride, end_row - first_row, RowOf<cpu::Int8Block>(out_, first_row) + unit,
             out_.row_bytes / int64_t{sizeof(cpu::Int8Block)}});
}

void FusedLinear::Run(const Batch& batch, const Lane& lane) noexcept {
  const int32_t rows = RowCount(batch, x_.rows);
  if (rows == 0) return;
  const cpu::Int8Block* quantized = Inputs(rows, lane);
  if (glu_ == nullptr) {
    ProductRows product = ProductInto(out_, residual_, rows);
    product.quantized = quantized;
    return parts_.MultiplyShare(lane, product);
  }
  float* scratch = static_cast<float*>(workspace_.lane_scratch[static_cast<size_t>(lane.index)]);
  constexpr int64_t kPanels = 2 * LinearParts::kUnitPanels;
  const int64_t units = parts_.panels() / kPanels;
  const int64_t piece = PieceOf(lane, units, kPanels * parts_.panel_bytes(), rows);
  ShareGrid(lane, units, rows, piece,
            [&](const GridPiece& at) { MultiplyGlu(at, quantized, scratch); });
}

}  // namespace tenon::quant
