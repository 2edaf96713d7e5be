// SPDX-License-Identifier: Apache-2.0
#include "plugins/attention/common/rope_pass.h"

#include <vector>

#include "tenon/ops.h"

namespace tenon::attention {
namespace {

bool Overlap(const Operand& a, const Operand& b) {
  return a.value == b.value && a.first_column < b.first_column + b.columns &&
         b.first_column < a.first_column + a.columns;
}

bool Same(const Operand& a, const Operand& b) {
  return a.value == b.value && a.first_column == b.first_column && a.columns == b.columns;
}

bool Touches(const Node& node, const Operand& slice) {
  for (const Span<const Operand>& operands : {node.inputs, node.outputs}) {
    for (const Operand& operand : operands) {
      if (Overlap(operand, slice)) return true;
    }
  }
  return false;
}

// Whether q and k lie side by side in one value of f32, and the node touches them nowhere else.
bool ReadsOneSlice(const ProgramEditor& program, const Node& node, Operand* slice) {
  if (node.kind != Str(kAttention) || node.family != Family::kAttention || node.maker != nullptr ||
      node.params_bytes != sizeof(AttentionParams) || node.inputs.size != 3 ||
      node.outputs.size != 1) {
    return false;
  }
  const Operand q = node.inputs[0], k = node.inputs[1];
  if (q.value != k.value || q.first_column + q.columns != k.first_column) return false;
  *slice = {q.value, q.first_column, q.columns + k.columns};
  const ValueInfo value = program.Value(q.value);
  return value.dtype == DType::kF32 && value.rows == RowSet::kTokens &&
         !Overlap(node.inputs[2], *slice) && !Overlap(node.outputs[0], *slice);
}

bool Rotates(const Node& node, const Operand& slice, const AttentionParams& attention) {
  if (node.kind != Str(kRope) || node.family != Family::kDevice || node.maker != nullptr ||
      node.params_bytes != sizeof(RopeParams) || node.weights.size != 1 || node.inputs.size != 1 ||
      node.outputs.size != 1 || !Same(node.inputs[0], slice) || !Same(node.outputs[0], slice)) {
    return false;
  }
  const RopeParams& rope = *static_cast<const RopeParams*>(node.params);
  return rope.head_dim == attention.head_dim &&
         int64_t{rope.heads} == int64_t{attention.heads} + attention.kv_heads;
}

// The rope that the attention at `at` can take over; -1 for none.
int32_t RopeFor(const ProgramEditor& program, int32_t at) {
  const Node attention = program.At(at);
  Operand slice{};
  if (!ReadsOneSlice(program, attention, &slice)) return -1;
  for (int32_t i = at + 1; i < program.Count(); ++i) {
    if (Touches(program.At(i), slice)) return -1;
  }
  for (int32_t i = at - 1; i >= 0; --i) {
    const Node node = program.At(i);
    if (!Touches(node, slice)) continue;
    const auto& params = *static_cast<const AttentionParams*>(attention.params);
    return Rotates(node, slice, params) ? i : -1;
  }
  return -1;
}

void Join(ProgramEditor& program, int32_t rope_at, int32_t at) {
  const Node rope = program.At(rope_at);
  Node joined = program.At(at);
  const RopeAttentionParams params = {*static_cast<const AttentionParams*>(joined.params),
                                      *static_cast<const RopeParams*>(rope.params)};
  std::vector<Weight> weights = {rope.weights[0]};
  weights.insert(weights.end(), joined.weights.begin(), joined.weights.end());
  joined.kind = kRopeAttention;
  joined.weights = {weights.data(), weights.size()};
  joined.params = &params;
  joined.params_bytes = sizeof(params);
  program.Replace(at, joined);
  program.Erase(rope_at);
}

}  // namespace

void JoinRopes(ProgramEditor& program) {
  for (int32_t at = 0; at < program.Count(); ++at) {
    const int32_t rope = RopeFor(program, at);
    if (rope < 0) continue;
    Join(program, rope, at);
    --at;  // what followed the attention stands one place earlier now
  }
}

}  // namespace tenon::attention
