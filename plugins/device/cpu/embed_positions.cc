// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/activation.h"
#include "kernels/cpu/dequantize.h"
#include "plugins/device/cpu/base_ops.h"
#include "plugins/device/cpu/op_check.h"
#include "tenon/ops.h"

namespace tenon::cpu {
namespace {

class EmbedPositions final : public BaseOp {
 public:
  // `table` is [rows, columns of the output] in f32, `row_floats` from row to row.
  EmbedPositions(Isa isa, const float* table, int64_t rows, int64_t row_floats, const OpSpec& spec)
      : add_(ActivationsOf(isa).add),
        table_(table),
        rows_(rows),
        row_floats_(row_floats),
        x_(spec.inputs[0]),
        out_(spec.outputs[0]) {}

  void Run(const Batch& batch, const Lane& lane) noexcept override {
    const RowRange range = RowsOf(lane, batch.tokens);
    for (int32_t t = range.begin; t < range.end; ++t) {
      const int32_t position = batch.positions[t];
      const float* x = RowOf(x_, t);
      float* out = RowOf(out_, t);
      if (position < 0 || position >= rows_) {  // no row of this table: the zero vector is added
        if (x != out) std::memcpy(out, x, sizeof(float) * static_cast<size_t>(out_.columns));
        continue;
      }
      add_(x, table_ + row_floats_ * position, out_.columns, out);
    }
  }

 private:
  void (*const add_)(const float*, const float*, int64_t, float*);
  const float* const table_;
  const int64_t rows_;
  const int64_t row_floats_;
  const Buffer x_;
  const Buffer out_;
};

// The whole table in f32: it has no more rows than a sequence has tokens.
const float* Unpack(const PlanContext& context, const OpSpec& spec, PlannedOp* out) {
  const Weight& stored = spec.weights[0];
  const int64_t columns = stored.tensor.columns;
  out->weight_bytes = sizeof(float) * static_cast<uint64_t>(stored.tensor.rows * columns);
  float* table = static_cast<float*>(context.memory->Allocate(out->weight_bytes));
  if (table == nullptr) Refuse(spec, Status::kOutOfMemory, "no memory for its table");
  const char* from = static_cast<const char*>(stored.tensor.data);
  for (int64_t row = 0; row < stored.tensor.rows; ++row) {
    Dequantize(context.isa, stored.tensor.dtype, from + row * stored.row_bytes, columns,
               table + row * columns);
  }
  return table;
}

}  // namespace

std::unique_ptr<BaseOp> PlanEmbedPositions(const PlanContext& context, const OpSpec& spec,
                                           PlannedOp* out) {
  CheckOperands(spec, {1, 1, 1});
  CheckSameColumns(spec);
  CheckSameRows(spec);
  CheckParamsBytes(spec, sizeof(EmbedPositionsParams));
  const Buffer& output = spec.outputs[0];
  if (output.rows != RowSet::kTokens) {
    Refuse(spec, Status::kInvalid, "output 0 has logit rows as rows; tokens needed");
  }
  const Weight& stored = spec.weights[0];
  const int64_t rows = stored.tensor.rows;
  if (rows < 1) Refuse(spec, Status::kInvalid, "the table has no rows");
  CheckWeight(spec, 0, rows, output.columns);
  out->split = Split::kRows;
  const bool in_place = stored.tensor.dtype == DType::kF32 &&
                        reinterpret_cast<uintptr_t>(stored.tensor.data) % alignof(float) == 0 &&
                        stored.row_bytes % static_cast<int64_t>(sizeof(float)) == 0;
  const float* table =
      in_place ? static_cast<const float*>(stored.tensor.data) : Unpack(context, spec, out);
  const int64_t row_floats =
      in_place ? stored.row_bytes / static_cast<int64_t>(sizeof(float)) : int64_t{output.columns};
  return std::make_unique<EmbedPositions>(context.isa, table, rows, row_floats, spec);
}

}  // namespace tenon::cpu
