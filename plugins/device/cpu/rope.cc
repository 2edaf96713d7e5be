// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "kernels/cpu/rope.h"
#include "plugins/device/cpu/base_ops.h"
#include "plugins/device/cpu/op_check.h"
#include "tenon/ops.h"

namespace tenon::cpu {
namespace {

constexpr float kMostInverseFrequency = 1024.0f;  // what the kernel's range reduction asks for

class Rope final : public BaseOp {
 public:
  Rope(Isa isa, const RopeParams& params, RopeTable* table, const Buffer& x)
      : rope_(RopeOf(isa)),
        rotate_(params.pairs == RopePairs::kHalves ? rope_.halves : rope_.neighbours),
        heads_(params.heads),
        head_dim_(params.head_dim),
        table_(table),
        x_(x) {}

  void Run(const Batch& batch, const Lane& lane) noexcept override {
    const int64_t pairs = table_->pairs();
    const RowRange range = RowsOf(lane, RowCount(batch, x_.rows));
    for (int32_t r = range.begin; r < range.end; ++r) {
      const int32_t token = x_.rows == RowSet::kTokens ? r : batch.logit_row_tokens[r];
      const float* cosines = table_->Row(rope_, r, batch.positions[token]);
      rotate_(RowOf(x_, r), heads_, head_dim_, pairs, cosines, cosines + pairs);
    }
  }

 private:
  const RopeFunctions& rope_;
  const RopeFunctions::Rotate rotate_;
  const int64_t heads_;
  const int64_t head_dim_;
  RopeTable* const table_;
  const Buffer x_;
};

void CheckParams(const OpSpec& spec, const RopeParams& p) {
  const int32_t columns = spec.outputs[0].columns;
  if (p.heads < 1 || p.head_dim < 1 || int64_t{p.heads} * p.head_dim != columns) {
    Refuse(spec, Status::kInvalid,
           std::to_string(p.heads) + " heads of " + std::to_string(p.head_dim) + " are not its " +
               std::to_string(columns) + " columns");
  }
  if (p.rotary_dim < 2 || p.rotary_dim % 2 != 0 || p.rotary_dim > p.head_dim) {
    Refuse(spec, Status::kInvalid,
           "rotary_dim is " + std::to_string(p.rotary_dim) + "; even, 2 to head_dim (" +
               std::to_string(p.head_dim) + ") allowed");
  }
  if (p.pairs != RopePairs::kHalves && p.pairs != RopePairs::kNeighbours) {
    Refuse(spec, Status::kUnsupported, "pairs has no known value; halves and neighbours allowed");
  }
  if (!std::isfinite(p.magnitude)) {
    Refuse(spec, Status::kInvalid, "magnitude is not a finite number");
  }
}

// The weight, which has the alignment of the file.
std::vector<float> InverseFrequencies(const OpSpec& spec, int64_t pairs) {
  CheckWeight(spec, 0, 1, pairs);
  const Tensor& stored = spec.weights[0].tensor;
  if (stored.dtype != DType::kF32) {
    Refuse(
        spec, Status::kUnsupported,
        std::string("the inverse frequencies are ") + Layout(stored.dtype).name + "; f32 needed");
  }
  std::vector<float> values(static_cast<size_t>(pairs));
  std::memcpy(values.data(), stored.data, sizeof(float) * values.size());
  for (const float value : values) {
    if (std::abs(value) <= kMostInverseFrequency) continue;
    Refuse(spec, Status::kInvalid,
           "an inverse frequency is " + std::to_string(value) + "; -1024 to 1024 allowed");
  }
  return values;
}

}  // namespace

std::unique_ptr<BaseOp> PlanRope(const PlanContext& context, const OpSpec& spec, PlannedOp* out) {
  CheckOperands(spec, {1, 1, 1});
  CheckSameColumns(spec);
  CheckSameRows(spec);
  const Buffer& x = spec.outputs[0];
  if (spec.inputs[0].data != x.data || spec.inputs[0].row_bytes != x.row_bytes) {
    Refuse(spec, Status::kInvalid, "works in place: output 0 must be input 0");
  }
  const RopeParams params = CheckedParams<RopeParams>(spec);
  CheckParams(spec, params);
  const std::vector<float> frequencies = InverseFrequencies(spec, params.rotary_dim / 2);
  uint64_t made_bytes = 0;
  RopeTable* table = context.rope_tables->Get(context.memory, frequencies, params.magnitude, x.rows,
                                              x.max_rows, &made_bytes);
  if (table == nullptr) {
    Refuse(spec, Status::kOutOfMemory,
           "no memory for the angles of " + std::to_string(x.max_rows) + " rows");
  }
  out->split = Split::kRows;
  out->scratch_bytes = made_bytes;
  return std::make_unique<Rope>(context.isa, params, table, x);
}

}  // namespace tenon::cpu
