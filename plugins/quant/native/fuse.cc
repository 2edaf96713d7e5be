// SPDX-License-Identifier: Apache-2.0
#include "plugins/quant/native/fuse.h"

#include <string>
#include <string_view>
#include <vector>

#include "kernels/cpu/int8_panels.h"
#include "plugins/quant/native/fused_linear.h"
#include "plugins/quant/native/late_add.h"

namespace tenon::quant {
namespace {

bool Is(const Node& node, const char* kind, Family family) {
  return node.kind == Str(kind) && node.family == family && node.maker == nullptr;
}

bool Same(const Operand& a, const Operand& b) {
  return a.value == b.value && a.first_column == b.first_column && a.columns == b.columns;
}

bool Mentions(Span<const Operand> operands, uint32_t value) {
  for (const Operand& operand : operands) {
    if (operand.value == value) return true;
  }
  return false;
}

// The nodes that touch a value, in order.
struct Uses {
  std::vector<int32_t> readers, writers;

  bool Only(int32_t writer, int32_t reader) const {
    return writers == std::vector<int32_t>{writer} && readers == std::vector<int32_t>{reader};
  }
};

Uses UsesOf(const ProgramEditor& program, uint32_t value) {
  Uses uses;
  for (int32_t i = 0; i < program.Count(); ++i) {
    const Node node = program.At(i);
    if (Mentions(node.inputs, value)) uses.readers.push_back(i);
    if (Mentions(node.outputs, value)) uses.writers.push_back(i);
  }
  return uses;
}

bool Whole(const ProgramEditor& program, const Operand& operand) {
  const ValueInfo info = program.Value(operand.value);
  return operand.first_column == 0 && operand.columns == info.columns && info.dtype == DType::kF32;
}

// A linear, alone, that fused_linear can take over: its operands are as tenon/ops.h says, all its
// matrices can be packed.
bool IsFusable(const ProgramEditor& program, const Node& node) {
  if (!Is(node, kLinear, Family::kQuant) || node.params_bytes != sizeof(LinearParams)) return false;
  const auto& params = *static_cast<const LinearParams*>(node.params);
  if (params.matrices < 1 || node.outputs.size != 1) return false;
  const auto matrices = static_cast<uint64_t>(params.matrices);
  if (node.inputs.size != (params.has_residual != 0 ? 2u : 1u)) return false;
  if (node.weights.size != (params.has_bias != 0 ? 2 * matrices : matrices)) return false;
  if (node.inputs.size == 2 && node.inputs[1].value == node.inputs[0].value) return false;
  for (uint64_t i = 0; i < matrices; ++i) {
    const Weight& weight = node.weights[i];
    if (weight.scales.data != nullptr || !cpu::CanPackInt8(weight.tensor.dtype) ||
        weight.tensor.columns != node.inputs[0].columns) {
      return false;
    }
  }
  return program.Value(node.inputs[0].value).dtype == DType::kF32;
}

bool IsNorm(const ProgramEditor& program, const Node& node) {
  return Is(node, kRmsNorm, Family::kDevice) && node.params_bytes == sizeof(RmsNormParams) &&
         node.inputs.size == 1 && node.outputs.size == 1 && node.weights.size == 1 &&
         Whole(program, node.inputs[0]) && Whole(program, node.outputs[0]) &&
         IsRowNorm(*static_cast<const RmsNormParams*>(node.params), node.weights[0],
                   node.outputs[0].columns);
}

const RmsNormParams& NormOf(const Node& node) {
  return *static_cast<const RmsNormParams*>(node.params);
}

// A node in the making; keeps what it points to.
struct Fusion {
  FusedLinearParams params{};
  std::vector<Operand> inputs, outputs;
  std::vector<Weight> weights;

  explicit Fusion(const Node& linear)
      : inputs(linear.inputs.begin(), linear.inputs.end()),
        outputs(linear.outputs.begin(), linear.outputs.end()),
        weights(linear.weights.begin(), linear.weights.end()) {
    params.linear = *static_cast<const LinearParams*>(linear.params);
  }

  Node AsNode(const Node& linear, OpMaker& maker) const {
    Node node = linear;
    node.kind = kFusedLinear;
    node.maker = &maker;
    node.inputs = {inputs.data(), inputs.size()};
    node.outputs = {outputs.data(), outputs.size()};
    node.weights = {weights.data(), weights.size()};
    node.params = &params;
    node.params_bytes = sizeof(params);
    return node;
  }
};

class Fuser {
 public:
  Fuser(ProgramEditor& program, OpMaker& maker) : program_(program), maker_(maker) {}

  // Fuses the linear at `at` with what it can; returns where the list goes on.
  int32_t Fuse(int32_t at) {
    Fusion fusion(program_.At(at));
    const bool glu = TakeGlu(at, &fusion);
    const int32_t norm = FindNorm(at);
    if (norm < 0 && !glu) return at + 1;
    // Of Gemma's `norm` behind a branch and the addition to the residual stream.
    const bool post_norm = norm >= 0 && HasPostNorm(norm, at);
    if (norm >= 0) TakeNorm(norm, &fusion);
    if (post_norm) return TakePostNorm(norm, fusion);
    program_.Replace(at, fusion.AsNode(program_.At(at), maker_));
    if (norm < 0) return at + 1;
    program_.Erase(norm);
    return at;
  }

 private:
  // The norm that writes the linear's input, for it alone.
  int32_t FindNorm(int32_t at) const {
    const Node linear = program_.At(at);
    const Uses uses = UsesOf(program_, linear.inputs[0].value);
    if (uses.writers.size() != 1 || !uses.Only(uses.writers[0], at)) return -1;
    const int32_t found = uses.writers[0];
    const Node norm = program_.At(found);
    if (found > at || !IsNorm(program_, norm) || !Same(norm.outputs[0], linear.inputs[0]) ||
        program_.Value(norm.inputs[0].value).rows != program_.Value(linear.inputs[0].value).rows ||
        Mentions(linear.outputs, norm.inputs[0].value)) {
      return -1;
    }
    for (int32_t i = found + 1; i < at; ++i) {
      if (Mentions(program_.At(i).outputs, norm.inputs[0].value)) return -1;
    }
    return found;
  }

  void TakeNorm(int32_t norm, Fusion* fusion) const {
    const Node node = program_.At(norm);
    fusion->params.has_norm = 1;
    fusion->params.norm = NormOf(node);
    fusion->inputs[0] = node.inputs[0];
    fusion->weights.push_back(node.weights[0]);
  }

  // Whether the nodes before `norm` are x = post_norm(x'), base = base + x, and the linear follows.
  // The last linear of a list is left as it is: its late addition would be for nobody.
  bool HasPostNorm(int32_t norm, int32_t at) const {
    if (norm < 2 || at != norm + 1 || at + 1 == program_.Count()) return false;
    const Node post = program_.At(norm - 2), sum = program_.At(norm - 1);
    const Node linear = program_.At(at);
    if (!IsNorm(program_, post) || !Is(sum, kAdd, Family::kDevice) || sum.inputs.size != 2 ||
        sum.outputs.size != 1 || linear.inputs.size != 1) {
      return false;
    }
    const Operand x = post.inputs[0], branch = post.outputs[0], base = sum.outputs[0];
    const Uses uses = UsesOf(program_, branch.value);
    for (const int32_t reader : uses.readers) {
      const bool its_own = reader == norm - 2 && branch.value == x.value;
      const bool its_writer = reader < norm - 2;
      if (reader != norm - 1 && !its_own && !its_writer) return false;
    }
    for (const uint32_t value : {x.value, branch.value, base.value}) {
      if (Mentions(linear.outputs, value)) return false;
    }
    return base.value != branch.value && base.value != x.value && Same(sum.inputs[0], base) &&
           Same(sum.inputs[1], branch) && Same(base, program_.At(norm).inputs[0]) &&
           program_.Value(x.value).rows == program_.Value(base.value).rows;
  }

  // The fused node goes first, since it reads what the two others would change; they become one.
  int32_t TakePostNorm(int32_t norm, Fusion& fusion) {
    const int32_t first = norm - 2;
    TakeLateInputs(norm, &fusion);
    program_.Insert(first, fusion.AsNode(program_.At(norm + 1), maker_));
    const Node post = program_.At(first + 1), sum = program_.At(first + 2);
    const Operand inputs[] = {post.inputs[0], sum.outputs[0]};
    Node late = sum;
    late.kind = kLateAdd;
    late.family = Family::kQuant;
    late.maker = &maker_;
    late.inputs = {inputs, 2};
    late.weights = post.weights;
    late.params = post.params;
    late.params_bytes = post.params_bytes;
    program_.Replace(first + 2, late);
    program_.Erase(first + 4);
    program_.Erase(first + 3);
    program_.Erase(first + 1);
    return norm;
  }

  void TakeLateInputs(int32_t norm, Fusion* fusion) const {
    const Node post = program_.At(norm - 2), sum = program_.At(norm - 1);
    fusion->params.has_post_norm = 1;
    fusion->params.post_norm = NormOf(post);
    fusion->inputs[0] = post.inputs[0];
    fusion->inputs.push_back(sum.outputs[0]);
    fusion->outputs.push_back(sum.outputs[0]);
    fusion->weights.push_back(post.weights[0]);
  }

  // Takes the glu behind a linear of gate and up, if it alone reads them.
  bool TakeGlu(int32_t at, Fusion* fusion) {
    const Node linear = program_.At(at);
    if (at + 1 == program_.Count() || fusion->params.linear.matrices != 2) return false;
    const Node glu = program_.At(at + 1);
    const Tensor &gate = linear.weights[0].tensor, &up = linear.weights[1].tensor;
    if (!Is(glu, kGlu, Family::kDevice) || glu.params_bytes != sizeof(GluParams) ||
        glu.inputs.size != 2 || glu.outputs.size != 1 || linear.inputs.size != 1 ||
        gate.dtype != up.dtype || gate.rows != up.rows || gate.rows % cpu::kInt8BlockValues != 0) {
      return false;
    }
    const auto columns = static_cast<int32_t>(gate.rows);
    const Operand both = linear.outputs[0], out = glu.outputs[0];
    const GluParams& params = *static_cast<const GluParams*>(glu.params);
    if (!Whole(program_, both) || !Whole(program_, out) || out.columns != columns ||
        !Same(glu.inputs[0], {both.value, 0, columns}) ||
        !Same(glu.inputs[1], {both.value, columns, columns}) ||
        program_.Value(out.value).rows != program_.Value(both.value).rows ||
        !UsesOf(program_, both.value).Only(at, at + 1) ||
        UsesOf(program_, out.value).writers != std::vector<int32_t>{at + 1} ||
        cpu::GluOf(cpu::Isa::kGeneric, params.activation) == nullptr) {
      return false;
    }
    fusion->params.has_glu = 1;
    fusion->params.glu = params;
    fusion->outputs[0] = out;
    HandOverRounded(out, fusion);
    program_.Erase(at + 1);
    return true;
  }

  // Where one linear alone reads the glu's result, it gets it rounded by who wrote it.
  void HandOverRounded(Operand out, Fusion* fusion) {
    const Uses uses = UsesOf(program_, out.value);
    if (uses.readers.size() != 1) return;
    const int32_t reader = uses.readers[0];
    if (reader < uses.writers[0] || !IsFusable(program_, program_.At(reader)) ||
        !Same(program_.At(reader).inputs[0], out)) {
      return;
    }
    ValueInfo info = program_.Value(out.value);
    const std::string name = std::string(std::string_view(info.name)) + ".rounded";
    info.name = Str(name);
    info.dtype = DType::kI8;
    info.columns = out.columns * kRoundedBytes;
    const Operand rounded{program_.AddValue(info), 0, info.columns};
    const Node linear = program_.At(reader);
    Fusion down(linear);
    down.params.rounded_x = 1;
    down.inputs[0] = rounded;
    program_.Replace(reader, down.AsNode(linear, maker_));
    fusion->params.rounded_out = 1;
    fusion->outputs[0] = rounded;
  }

  ProgramEditor& program_;
  OpMaker& maker_;
};

}  // namespace

void FuseLinears(ProgramEditor& program, OpMaker& maker) {
  Fuser fuser(program, maker);
  int32_t at = 0;
  while (at < program.Count()) {
    at = IsFusable(program, program.At(at)) ? fuser.Fuse(at) : at + 1;
  }
}

}  // namespace tenon::quant
