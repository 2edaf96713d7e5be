// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include "kernels/cpu/activation.h"
#include "plugins/device/cpu/base_ops.h"
#include "plugins/device/cpu/op_check.h"
#include "tenon/ops.h"

namespace tenon::cpu {
namespace {

// glu and add: out[t] = f(a[t], b[t]).
class Pairwise final : public BaseOp {
 public:
  using Function = void (*)(const float*, const float*, int64_t, float*);

  Pairwise(Function function, const OpSpec& spec)
      : function_(function), a_(spec.inputs[0]), b_(spec.inputs[1]), out_(spec.outputs[0]) {}

  void Run(const Batch& batch, const Lane& lane) noexcept override {
    const RowRange range = RowsOf(lane, RowCount(batch, out_.rows));
    for (int32_t t = range.begin; t < range.end; ++t) {
      function_(RowOf(a_, t), RowOf(b_, t), out_.columns, RowOf(out_, t));
    }
  }

 private:
  const Function function_;
  const Buffer a_;
  const Buffer b_;
  const Buffer out_;
};

// A row of logits is as wide as the vocabulary and, in decode, alone: from kWide columns on, lanes
// take pieces of rows and not rows.
class SoftCap final : public BaseOp {
 public:
  static constexpr int32_t kWide = 16384;
  static constexpr int32_t kPiece = 4096;

  SoftCap(Isa isa, float cap, const OpSpec& spec)
      : soft_cap_(ActivationsOf(isa).soft_cap),
        cap_(cap),
        x_(spec.inputs[0]),
        out_(spec.outputs[0]) {}

  bool wide() const { return out_.columns >= kWide; }

  void Run(const Batch& batch, const Lane& lane) noexcept override {
    const int32_t rows = RowCount(batch, out_.rows);
    if (wide()) return RunPieces(rows, lane);
    const RowRange range = RowsOf(lane, rows);
    for (int32_t t = range.begin; t < range.end; ++t) {
      soft_cap_(RowOf(x_, t), cap_, out_.columns, RowOf(out_, t));
    }
  }

 private:
  void RunPieces(int32_t rows, const Lane& lane) noexcept {
    const int64_t in_row = (out_.columns + kPiece - 1) / kPiece;
    for (int64_t i = lane.Claim(); i < rows * in_row; i = lane.Claim()) {
      const int32_t t = static_cast<int32_t>(i / in_row);
      const int32_t first = static_cast<int32_t>(i % in_row) * kPiece;
      const int32_t count = std::min(kPiece, out_.columns - first);
      soft_cap_(RowOf(x_, t) + first, cap_, count, RowOf(out_, t) + first);
    }
  }

  void (*const soft_cap_)(const float*, float, int64_t, float*);
  const float cap_;
  const Buffer x_;
  const Buffer out_;
};

class GatherRows final : public BaseOp {
 public:
  explicit GatherRows(const OpSpec& spec) : x_(spec.inputs[0]), out_(spec.outputs[0]) {}

  void Run(const Batch& batch, const Lane& lane) noexcept override {
    const RowRange range = RowsOf(lane, batch.logit_rows);
    for (int32_t r = range.begin; r < range.end; ++r) {
      std::memcpy(RowOf(out_, r), RowOf(x_, batch.logit_row_tokens[r]),
                  sizeof(float) * static_cast<size_t>(out_.columns));
    }
  }

 private:
  const Buffer x_;
  const Buffer out_;
};

}  // namespace

std::unique_ptr<BaseOp> PlanGlu(const PlanContext& context, const OpSpec& spec, PlannedOp* out) {
  CheckOperands(spec, {2, 1, 0});
  CheckSameColumns(spec);
  CheckSameRows(spec);
  const Activation activation = CheckedParams<GluParams>(spec).activation;
  const Pairwise::Function function = GluOf(context.isa, activation);
  if (function == nullptr) {
    Refuse(spec, Status::kUnsupported,
           "activation is number " + std::to_string(static_cast<uint32_t>(activation)) +
               "; silu (0), gelu_tanh (1) and gelu (2) are known");
  }
  out->split = Split::kRows;
  return std::make_unique<Pairwise>(function, spec);
}

std::unique_ptr<BaseOp> PlanAdd(const PlanContext& context, const OpSpec& spec, PlannedOp* out) {
  CheckOperands(spec, {2, 1, 0});
  CheckSameColumns(spec);
  CheckSameRows(spec);
  CheckParamsBytes(spec, sizeof(AddParams));
  out->split = Split::kRows;
  return std::make_unique<Pairwise>(ActivationsOf(context.isa).add, spec);
}

std::unique_ptr<BaseOp> PlanSoftCap(const PlanContext& context, const OpSpec& spec,
                                    PlannedOp* out) {
  CheckOperands(spec, {1, 1, 0});
  CheckSameColumns(spec);
  CheckSameRows(spec);
  const float cap = CheckedParams<SoftCapParams>(spec).cap;
  if (!(cap > 0) || !std::isfinite(cap)) {
    Refuse(spec, Status::kInvalid, "cap is " + std::to_string(cap) + "; a number above 0 needed");
  }
  auto op = std::make_unique<SoftCap>(context.isa, cap, spec);
  out->split = op->wide() ? Split::kAny : Split::kRows;
  return op;
}

std::unique_ptr<BaseOp> PlanGatherRows(const PlanContext&, const OpSpec& spec, PlannedOp* out) {
  CheckOperands(spec, {1, 1, 0});
  CheckSameColumns(spec);
  CheckParamsBytes(spec, sizeof(GatherRowsParams));
  if (spec.inputs[0].rows != RowSet::kTokens || spec.outputs[0].rows != RowSet::kLogitRows) {
    Refuse(spec, Status::kInvalid, "input 0 must have tokens as rows, output 0 logit rows");
  }
  out->split = Split::kAny;
  return std::make_unique<GatherRows>(spec);
}

}  // namespace tenon::cpu
