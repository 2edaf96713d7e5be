// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/activation.h"
#include "kernels/cpu/dequantize.h"
#include "plugins/device/cpu/base_ops.h"
#include "plugins/device/cpu/op_check.h"
#include "tenon/ops.h"

namespace tenon::cpu {
namespace {

// Reads the rows where the file is mapped: a step touches a few of them, and a copy of the table
// would cost more memory than all layers of a small model.
class Embed final : public BaseOp {
 public:
  Embed(Isa isa, const Weight& table, float scale, const Buffer& out)
      : dequantize_(DequantizerOf(isa, table.tensor.dtype)),
        scale_by_(ActivationsOf(isa).scale),
        rows_(static_cast<const char*>(table.tensor.data)),
        row_bytes_(table.row_bytes),
        vocabulary_(table.tensor.rows),
        scale_(scale),
        out_(out) {}

  void Run(const Batch& batch, const Lane& lane) noexcept override {
    const RowRange range = RowsOf(lane, batch.tokens);
    for (int32_t t = range.begin; t < range.end; ++t) {
      float* out = RowOf(out_, t);
      const int32_t id = batch.token_ids[t];
      if (id < 0 || id >= vocabulary_) {  // no row of this table: the zero vector
        std::memset(out, 0, sizeof(float) * static_cast<size_t>(out_.columns));
        continue;
      }
      dequantize_(rows_ + row_bytes_ * id, out_.columns, out);
      if (scale_ != 1.0f) scale_by_(out, scale_, out_.columns, out);
    }
  }

 private:
  const DequantizeFunction dequantize_;
  void (*const scale_by_)(const float*, float, int64_t, float*);
  const char* const rows_;
  const int64_t row_bytes_;
  const int64_t vocabulary_;
  const float scale_;
  const Buffer out_;
};

}  // namespace

std::unique_ptr<BaseOp> PlanEmbed(const PlanContext& context, const OpSpec& spec, PlannedOp* out) {
  CheckOperands(spec, {0, 1, 1});
  const EmbedParams params = CheckedParams<EmbedParams>(spec);
  const Buffer& output = spec.outputs[0];
  if (output.rows != RowSet::kTokens) {
    Refuse(spec, Status::kInvalid, "output 0 has logit rows as rows; tokens needed");
  }
  const int64_t vocabulary = spec.weights[0].tensor.rows;
  if (vocabulary < 1) Refuse(spec, Status::kInvalid, "the table has no rows");
  CheckWeight(spec, 0, vocabulary, output.columns);
  out->split = Split::kRows;
  return std::make_unique<Embed>(context.isa, spec.weights[0], params.scale, output);
}

}  // namespace tenon::cpu
