// SPDX-License-Identifier: Apache-2.0
#include "models/bert_emission.h"

#include <cmath>
#include <string>
#include <vector>

#include "tenon/ops.h"

namespace tenon::models {
namespace {

class Emission {
 public:
  Emission(const EncoderSpec& spec, const EncoderTensors& tensors, ProgramEditor& program)
      : spec_(spec), tensors_(tensors), program_(program) {}

  ModelOutputs All(const Weight& positions) {
    hidden_ = NewValue("hidden", spec_.hidden, RowSet::kTokens);
    Append(kEmbed, "embed", Family::kDevice, {}, {hidden_}, {tensors_.embedding}, EmbedParams{1});
    Append(kEmbedPositions, "embed_positions", Family::kDevice, {hidden_}, {hidden_}, {positions},
           EmbedPositionsParams{});
    Norm("embed_norm", {hidden_}, tensors_.embedding_norm);
    for (int32_t i = 0; i < spec_.layers; ++i) {
      prefix_ = "layers." + std::to_string(i) + ".";
      Attention(tensors_.layers[static_cast<size_t>(i)]);
      FeedForward(tensors_.layers[static_cast<size_t>(i)]);
    }
    prefix_.clear();
    const Operand rows = NewValue("rows", spec_.hidden, RowSet::kLogitRows);
    Append(kGatherRows, "gather_rows", Family::kDevice, {hidden_}, {rows}, {}, GatherRowsParams{});
    return {rows.value};
  }

 private:
  Operand NewValue(const std::string& name, int32_t columns, RowSet rows) {
    const std::string full = prefix_ + name;
    return {program_.AddValue({Str(full), DType::kF32, rows, columns}), 0, columns};
  }

  template <typename Params>
  void Append(const char* kind, const std::string& name, Family family,
              const std::vector<Operand>& inputs, const std::vector<Operand>& outputs,
              const std::vector<Weight>& weights, const Params& params, Capabilities needs = {}) {
    const std::string full = prefix_ + name;
    Node node;
    node.kind = kind;
    node.name = Str(full);
    node.family = family;
    node.inputs = {inputs.data(), inputs.size()};
    node.outputs = {outputs.data(), outputs.size()};
    node.weights = {weights.data(), weights.size()};
    node.params = &params;
    node.params_bytes = sizeof(params);
    node.needs = needs;
    program_.Insert(program_.Count(), node);
  }

  // hidden = norm(the sum of the inputs)
  void Norm(const std::string& name, const std::vector<Operand>& inputs, const NormWeights& norm) {
    Append(kLayerNorm, name, Family::kDevice, inputs, {hidden_}, {norm.weight, norm.bias},
           LayerNormParams{spec_.norm_epsilon});
  }

  void Linear(const std::string& name, Operand in, Operand out, const EncoderLinear& linear) {
    std::vector<Weight> weights = linear.matrices;
    weights.insert(weights.end(), linear.biases.begin(), linear.biases.end());
    Capabilities needs = Claim(Capability::kLinearBias);
    for (const Weight& matrix : linear.matrices) {
      needs = needs.With(WeightCapability(matrix.tensor.dtype));
    }
    Append(kLinear, name, Family::kQuant, {in}, {out}, weights,
           LinearParams{static_cast<int32_t>(linear.matrices.size()), 1, 0}, needs);
  }

  void Attention(const EncoderLayerTensors& layer) {
    const int32_t hidden = spec_.hidden;
    const int32_t head_dim = hidden / spec_.heads;
    const Operand qkv = NewValue("qkv", 3 * hidden, RowSet::kTokens);
    Linear("qkv", hidden_, qkv, layer.qkv);
    const Operand attended = NewValue("attention", hidden, RowSet::kTokens);
    const BidirectionalAttentionParams params{spec_.heads, spec_.heads, head_dim,
                                              1 / std::sqrt(static_cast<float>(head_dim))};
    Append(kBidirectionalAttention, "attention", Family::kAttention,
           {{qkv.value, 0, hidden}, {qkv.value, hidden, hidden}, {qkv.value, 2 * hidden, hidden}},
           {attended}, {}, params, Claim(Capability::kBidirectional));
    const Operand branch = NewValue("attention_output", hidden, RowSet::kTokens);
    Linear("attention_output", attended, branch, layer.output);
    Norm("attention_norm", {hidden_, branch}, layer.attention_norm);
  }

  void FeedForward(const EncoderLayerTensors& layer) {
    const Operand up = NewValue("ffn_up", spec_.ffn, RowSet::kTokens);
    Linear("ffn_up", hidden_, up, layer.up);
    Append(kActivate, "activate", Family::kDevice, {up}, {up}, {},
           ActivateParams{spec_.activation});
    const Operand branch = NewValue("ffn_down", spec_.hidden, RowSet::kTokens);
    Linear("ffn_down", up, branch, layer.down);
    Norm("ffn_norm", {hidden_, branch}, layer.ffn_norm);
  }

  const EncoderSpec& spec_;
  const EncoderTensors& tensors_;
  ProgramEditor& program_;
  std::string prefix_;
  Operand hidden_{};
};

}  // namespace

ModelOutputs EmitEncoder(const EncoderSpec& spec, const EncoderTensors& tensors,
                         const Weight& positions, ProgramEditor& program) {
  return Emission(spec, tensors, program).All(positions);
}

}  // namespace tenon::models
