// SPDX-License-Identifier: Apache-2.0
#include "models/decoder_parts.h"
#include "tenon/ops.h"

namespace tenon::models {

Operand LayerEmission::NormOfHidden(const std::string& name, const Weight& weight) const {
  const Operand normed = writer.NewValue(name, spec.hidden);
  writer.Norm(name, hidden, normed, weight, spec.norm_epsilon, spec.norm_offset);
  return normed;
}

void LayerEmission::Turn(const std::string& name, Operand x, int32_t heads,
                         int32_t head_dim) const {
  const RopeParams params{heads, head_dim, Rope().rotary_dim, spec.pairs, Rope().magnitude};
  writer.Append(kRope, name, Family::kDevice, {x}, {x}, {inverse_frequencies[Numbers().rope]},
                params);
}

void LayerEmission::AddToHidden(const std::string& name, Operand in, const LinearWeights& linear,
                                const Weight& norm) const {
  if (!spec.post_norms) {
    writer.Linear(name, {in, hidden}, hidden, linear);
    return;
  }
  const Operand branch = writer.NewValue(name, spec.hidden);
  writer.Linear(name, {in}, branch, linear);
  writer.Norm(name + "_norm", branch, branch, norm, spec.norm_epsilon, spec.norm_offset);
  writer.Append(kAdd, name + "_add", Family::kDevice, {hidden, branch}, {hidden}, {}, AddParams{});
}

Operand LayerEmission::GatedUp(const std::string& prefix, Operand x, const LinearWeights& gate_up,
                               int32_t columns) const {
  const Operand both = writer.NewValue(prefix + "gate_up", 2 * columns);
  writer.Linear(prefix + "gate_up", {x}, both, gate_up);
  const Operand activated = writer.NewValue(prefix + "glu", columns);
  writer.Append(kGlu, prefix + "glu", Family::kDevice,
                {SliceOf(both, 0, columns), SliceOf(both, columns, columns)}, {activated}, {},
                GluParams{spec.activation});
  return activated;
}

}  // namespace tenon::models
