// SPDX-License-Identifier: Apache-2.0
#include "models/program_writer.h"

namespace tenon::models {
namespace {

Capabilities NeedsOf(const std::vector<Weight>& matrices, const std::vector<Weight>& biases) {
  Capabilities needs;
  for (const Weight& matrix : matrices) {
    needs = needs.With(WeightCapability(matrix.tensor.dtype));
    if (matrix.scales.data != nullptr) needs = needs.With(Capability::kWeightScales);
  }
  return biases.empty() ? needs : needs.With(Capability::kLinearBias);
}

std::vector<Weight> Joined(std::vector<Weight> matrices, const std::vector<Weight>& biases) {
  matrices.insert(matrices.end(), biases.begin(), biases.end());
  return matrices;
}

}  // namespace

Operand ProgramWriter::NewValue(const std::string& name, int32_t columns, RowSet rows,
                                DType dtype) {
  const std::string full = prefix_ + name;
  return {program_.AddValue({Str(full), dtype, rows, columns}), 0, columns};
}

void ProgramWriter::AppendNode(const char* kind, const std::string& name, Family family,
                               const std::vector<Operand>& inputs,
                               const std::vector<Operand>& outputs,
                               const std::vector<Weight>& weights, const void* params,
                               uint64_t params_bytes, Capabilities needs) {
  const std::string full = prefix_ + name;
  Node node;
  node.kind = kind;
  node.name = Str(full);
  node.family = family;
  node.inputs = {inputs.data(), inputs.size()};
  node.outputs = {outputs.data(), outputs.size()};
  node.weights = {weights.data(), weights.size()};
  node.params = params;
  node.params_bytes = params_bytes;
  node.needs = needs;
  program_.Insert(program_.Count(), node);
}

void ProgramWriter::Norm(const std::string& name, Operand in, Operand out, const Weight& weight,
                         float epsilon, float offset) {
  const RmsNormParams params{epsilon, offset, static_cast<int32_t>(weight.tensor.columns)};
  Append(kRmsNorm, name, Family::kDevice, {in}, {out}, {weight}, params);
}

void ProgramWriter::Linear(const std::string& name, const std::vector<Operand>& inputs, Operand out,
                           const LinearWeights& linear) {
  const LinearParams params{static_cast<int32_t>(linear.matrices.size()),
                            linear.biases.empty() ? 0u : 1u, inputs.size() > 1 ? 1u : 0u};
  Append(kLinear, name, Family::kQuant, inputs, {out}, Joined(linear.matrices, linear.biases),
         params, NeedsOf(linear.matrices, linear.biases));
}

void ProgramWriter::GroupedLinear(const std::string& name, const std::vector<Operand>& inputs,
                                  Operand out, const GroupedWeights& grouped, int32_t slots,
                                  bool input_by_slot) {
  const GroupedLinearParams params{grouped.matrices, grouped.experts, slots,
                                   input_by_slot ? 1u : 0u, grouped.biases.empty() ? 0u : 1u};
  Append(kGroupedLinear, name, Family::kQuant, inputs, {out},
         Joined(grouped.weights, grouped.biases), params,
         NeedsOf(grouped.weights, grouped.biases).With(Capability::kGroupedLinear));
}

}  // namespace tenon::models
