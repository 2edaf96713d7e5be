// SPDX-License-Identifier: Apache-2.0
#include "plugins/quant/native/late_add.h"

#include "kernels/cpu/activation.h"
#include "plugins/quant/common/stored_weight.h"

namespace tenon::quant {

Status LateAdd::Load(Host& host, WeightArena& arena, const OpSpec& spec, PlannedOp* planned) {
  const bool complete = spec.inputs.size == 2 && spec.outputs.size == 1 && spec.weights.size == 1;
  const RmsNormParams& params = ParamsOf<RmsNormParams>(spec);
  if (!complete || spec.inputs[0].columns != spec.outputs[0].columns ||
      !IsRowNorm(params, spec.weights[0], spec.outputs[0].columns)) {
    return Refuse(host, Status::kInvalid, spec, "the operands do not fit a norm and an addition");
  }
  x_ = spec.inputs[0];
  base_ = spec.outputs[0];
  planned->split = Split::kRows;
  Status status = norm_.Load(isa_, arena, params, spec.weights[0], &planned->weight_bytes);
  if (status == Status::kOk) {
    status = workspace_.Reserve(base_.columns, 0, base_.columns, &planned->scratch_bytes);
  }
  if (status == Status::kOk) return status;
  return Refuse(host, status, spec, "no memory for the norm's weight");
}

void LateAdd::Run(const Batch& batch, const Lane& lane) noexcept {
  const int32_t rows = RowCount(batch, base_.rows);
  if (!AddedLate(rows)) return;
  float* normed = static_cast<float*>(workspace_.lane_scratch[static_cast<size_t>(lane.index)]);
  const auto add = cpu::ActivationsOf(isa_).add;
  const RowRange range = RowsOf(lane, rows);
  for (int64_t t = range.begin; t < range.end; ++t) {
    const char* x = static_cast<const char*>(x_.data) + t * x_.row_bytes;
    float* base = reinterpret_cast<float*>(static_cast<char*>(base_.data) + t * base_.row_bytes);
    norm_.Run(reinterpret_cast<const float*>(x), normed);
    add(base, normed, base_.columns, base);
  }
}

}  // namespace tenon::quant
