// SPDX-License-Identifier: Apache-2.0
#include "models/decoder_parts.h"
#include "tenon/ops.h"

namespace tenon::models {
namespace {

struct Routed {
  Operand experts;  // i32 [chosen]
  Operand weights;  // [chosen]
};

Routed Route(const LayerEmission& emit, Operand x) {
  const ExpertSpec& spec = emit.spec.experts;
  const ExpertTensors& tensors = emit.weights.experts;
  const Operand logits = emit.writer.NewValue("router", spec.route.experts);
  emit.writer.Linear("router", {x}, logits, tensors.router);
  const Routed out{emit.writer.NewValue("experts", spec.route.chosen, RowSet::kTokens, DType::kI32),
                   emit.writer.NewValue("expert_weights", spec.route.chosen)};
  std::vector<Weight> correction;
  if (spec.has_correction) correction.push_back(tensors.correction);
  emit.writer.Append(kRoute, "route", Family::kDevice, {logits}, {out.experts, out.weights},
                     correction, spec.route);
  return out;
}

// down · glu(gate · x, up · x) of each chosen expert: [chosen * hidden].
Operand ExpertOutputs(const LayerEmission& emit, Operand x, const Routed& routed) {
  const ExpertSpec& spec = emit.spec.experts;
  const int32_t chosen = spec.route.chosen;
  const int32_t columns = chosen * spec.ffn;
  const Operand gate_up = emit.writer.NewValue("experts_gate_up", 2 * columns);
  emit.writer.GroupedLinear("experts_gate_up", {x, routed.experts}, gate_up,
                            emit.weights.experts.gate_up, chosen, false);
  const Operand gate = SliceOf(gate_up, 0, columns);
  const Operand up = SliceOf(gate_up, columns, columns);
  const Operand activated = emit.writer.NewValue("experts_glu", columns);
  if (spec.clamped) {
    emit.writer.Append(kClampedGlu, "experts_glu", Family::kDevice, {gate, up}, {activated}, {},
                       spec.clamp);
  } else {
    emit.writer.Append(kGlu, "experts_glu", Family::kDevice, {gate, up}, {activated}, {},
                       GluParams{emit.spec.activation});
  }
  const Operand out = emit.writer.NewValue("experts_down", chosen * emit.spec.hidden);
  emit.writer.GroupedLinear("experts_down", {activated, routed.experts}, out,
                            emit.weights.experts.down, chosen, true);
  return out;
}

void EmitShared(const LayerEmission& emit, Operand x) {
  const ExpertSpec& spec = emit.spec.experts;
  const ExpertTensors& tensors = emit.weights.experts;
  const Operand activated = emit.GatedUp("shared_", x, tensors.shared_gate_up, spec.shared_ffn);
  if (!spec.shared_has_router) {
    emit.writer.Linear("shared_down", {activated, emit.hidden}, emit.hidden, tensors.shared_down);
    return;
  }
  const Operand down = emit.writer.NewValue("shared_down", emit.spec.hidden);
  emit.writer.Linear("shared_down", {activated}, down, tensors.shared_down);
  const Operand weight = emit.writer.NewValue("shared_router", 1);
  emit.writer.Linear("shared_router", {x}, weight, tensors.shared_router);
  emit.writer.Append(kCombine, "shared_combine", Family::kDevice, {down, weight, emit.hidden},
                     {emit.hidden}, {}, CombineParams{1, 1, 1});
}

}  // namespace

void EmitExperts(const LayerEmission& emit) {
  const Operand x = emit.NormOfHidden("ffn_norm", emit.weights.ffn_norm);
  const Routed routed = Route(emit, x);
  const Operand outputs = ExpertOutputs(emit, x, routed);
  emit.writer.Append(kCombine, "experts_combine", Family::kDevice,
                     {outputs, routed.weights, emit.hidden}, {emit.hidden}, {},
                     CombineParams{emit.spec.experts.route.chosen, 0, 1});
  if (emit.spec.experts.shared_ffn > 0) EmitShared(emit, x);
}

}  // namespace tenon::models
