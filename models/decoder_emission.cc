// SPDX-License-Identifier: Apache-2.0
#include "models/decoder_emission.h"

#include <initializer_list>
#include <string>
#include <vector>

#include "tenon/ops.h"

namespace tenon::models {
namespace {

// A value under a short name, with what is needed to speak of it or of a slice.
struct Value {
  uint32_t id = 0;
  int32_t columns = 0;

  Operand All() const { return {id, 0, columns}; }
  Operand Slice(int32_t first, int32_t count) const { return {id, first, count}; }
};

class Emission {
 public:
  Emission(const DecoderSpec& spec, const DecoderTensors& tensors, ProgramEditor& program)
      : spec_(spec), tensors_(tensors), program_(program) {}

  ModelOutputs Hidden() {
    Layers();
    return {LastHidden().id};
  }

  ModelOutputs All() {
    Layers();
    return {Logits(LastHidden())};
  }

 private:
  void Layers() {
    hidden_ = NewValue("hidden", spec_.hidden, RowSet::kTokens);
    Append(kEmbed, "embed", Family::kDevice, {}, {hidden_.All()}, {tensors_.embedding},
           EmbedParams{spec_.embedding_scale});
    for (size_t i = 0; i < spec_.layers.size(); ++i) Layer(static_cast<int32_t>(i));
  }

  Value NewValue(const std::string& name, int32_t columns, RowSet rows) {
    const std::string full = prefix_ + name;
    return {program_.AddValue({Str(full), DType::kF32, rows, columns}), columns};
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

  void Norm(const std::string& name, Operand in, Operand out, const Weight& weight) {
    const RmsNormParams params{spec_.norm_epsilon, spec_.norm_offset,
                               static_cast<int32_t>(weight.tensor.columns)};
    Append(kRmsNorm, name, Family::kDevice, {in}, {out}, {weight}, params);
  }

  void Linear(const std::string& name, const std::vector<Operand>& inputs, Operand out,
              const LinearWeights& linear) {
    std::vector<Weight> weights = linear.matrices;
    weights.insert(weights.end(), linear.biases.begin(), linear.biases.end());
    Capabilities needs;
    for (const Weight& matrix : linear.matrices) {
      needs = needs.With(WeightCapability(matrix.tensor.dtype));
    }
    if (!linear.biases.empty()) needs = needs.With(Capability::kLinearBias);
    const LinearParams params{static_cast<int32_t>(linear.matrices.size()),
                              linear.biases.empty() ? 0u : 1u, inputs.size() > 1 ? 1u : 0u};
    Append(kLinear, name, Family::kQuant, inputs, {out}, weights, params, needs);
  }

  // hidden += [norm] (linear · in)
  void LinearToHidden(const std::string& name, Operand in, const LinearWeights& linear,
                      const Weight& norm) {
    if (!spec_.post_norms) {
      Linear(name, {in, hidden_.All()}, hidden_.All(), linear);
      return;
    }
    const Value branch = NewValue(name, spec_.hidden, RowSet::kTokens);
    Linear(name, {in}, branch.All(), linear);
    Norm(name + "_norm", branch.All(), branch.All(), norm);
    Append(kAdd, name + "_add", Family::kDevice, {hidden_.All(), branch.All()}, {hidden_.All()}, {},
           AddParams{});
  }

  void Layer(int32_t layer) {
    prefix_ = "layers." + std::to_string(layer) + ".";
    Attention(layer);
    FeedForward(layer);
    prefix_.clear();
  }

  void Attention(int32_t layer) {
    const DecoderLayer& numbers = spec_.layers[static_cast<size_t>(layer)];
    const DecoderLayerTensors& weights = tensors_.layers[static_cast<size_t>(layer)];
    const int32_t q_columns = spec_.heads * spec_.head_dim;
    const int32_t kv_columns = spec_.kv_heads * spec_.head_dim;
    const Value normed = NewValue("attention_norm", spec_.hidden, RowSet::kTokens);
    Norm("attention_norm", hidden_.All(), normed.All(), weights.attention_norm);
    const Value qkv = NewValue("qkv", q_columns + 2 * kv_columns, RowSet::kTokens);
    Linear("qkv", {normed.All()}, qkv.All(), weights.qkv);
    const Operand q = qkv.Slice(0, q_columns);
    const Operand k = qkv.Slice(q_columns, kv_columns);
    const Operand v = qkv.Slice(q_columns + kv_columns, kv_columns);
    if (spec_.qk_norms) {
      Norm("q_norm", q, q, weights.q_norm);
      Norm("k_norm", k, k, weights.k_norm);
    }
    Rope(numbers.rope, qkv.Slice(0, q_columns + kv_columns));
    const Value attended = NewValue("attention", q_columns, RowSet::kTokens);
    const AttentionParams params{layer,          spec_.heads,         spec_.kv_heads,
                                 spec_.head_dim, spec_.head_dim,      spec_.attention_scale,
                                 numbers.window, spec_.attention_cap, 0};
    Append(kAttention, "attention", Family::kAttention, {q, k, v}, {attended.All()}, {}, params,
           NeedsOf(params));
    LinearToHidden("attention_output", attended.All(), weights.output, weights.post_attention_norm);
  }

  void Rope(uint32_t table, Operand q_and_k) {
    const RopeParams params{spec_.heads + spec_.kv_heads, spec_.head_dim,
                            spec_.ropes[table].rotary_dim, spec_.pairs,
                            spec_.ropes[table].magnitude};
    Append(kRope, "rope", Family::kDevice, {q_and_k}, {q_and_k},
           {tensors_.inverse_frequencies[table]}, params);
  }

  void FeedForward(int32_t layer) {
    const DecoderLayerTensors& weights = tensors_.layers[static_cast<size_t>(layer)];
    const Value normed = NewValue("ffn_norm", spec_.hidden, RowSet::kTokens);
    Norm("ffn_norm", hidden_.All(), normed.All(), weights.ffn_norm);
    const Value gate_up = NewValue("gate_up", 2 * spec_.ffn, RowSet::kTokens);
    Linear("gate_up", {normed.All()}, gate_up.All(), weights.gate_up);
    const Value activated = NewValue("glu", spec_.ffn, RowSet::kTokens);
    Append(kGlu, "glu", Family::kDevice,
           {gate_up.Slice(0, spec_.ffn), gate_up.Slice(spec_.ffn, spec_.ffn)}, {activated.All()},
           {}, GluParams{spec_.activation});
    LinearToHidden("ffn_down", activated.All(), weights.down, weights.post_ffn_norm);
  }

  Value LastHidden() {
    const Value rows = NewValue("rows", spec_.hidden, RowSet::kLogitRows);
    Append(kGatherRows, "gather_rows", Family::kDevice, {hidden_.All()}, {rows.All()}, {},
           GatherRowsParams{});
    const Value normed = NewValue("final_norm", spec_.hidden, RowSet::kLogitRows);
    Norm("final_norm", rows.All(), normed.All(), tensors_.final_norm);
    return normed;
  }

  uint32_t Logits(Value normed) {
    const Value logits = NewValue("logits", spec_.vocabulary, RowSet::kLogitRows);
    Linear("head", {normed.All()}, logits.All(), {{tensors_.head}, {}});
    if (spec_.logits_cap > 0) {
      Append(kSoftCap, "logits_cap", Family::kDevice, {logits.All()}, {logits.All()}, {},
             SoftCapParams{spec_.logits_cap});
    }
    return logits.id;
  }

  const DecoderSpec& spec_;
  const DecoderTensors& tensors_;
  ProgramEditor& program_;
  std::string prefix_;
  Value hidden_;
};

}  // namespace

Result<ModelOutputs> EmitDecoder(const DecoderSpec& spec, const DecoderTensors& tensors,
                                 ProgramEditor& program) {
  return Emission(spec, tensors, program).All();
}

Result<ModelOutputs> EmitDecoderHidden(const DecoderSpec& spec, const DecoderTensors& tensors,
                                       ProgramEditor& program) {
  return Emission(spec, tensors, program).Hidden();
}

}  // namespace tenon::models
