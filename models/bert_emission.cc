// SPDX-License-Identifier: Apache-2.0
#include "models/bert_emission.h"

#include <cmath>
#include <string>
#include <vector>

#include "models/program_writer.h"
#include "tenon/ops.h"

namespace tenon::models {
namespace {

class Emission {
 public:
  Emission(const EncoderSpec& spec, const EncoderTensors& tensors, ProgramEditor& program)
      : spec_(spec), tensors_(tensors), writer_(program) {}

  ModelOutputs All(const Weight& positions) {
    hidden_ = writer_.NewValue("hidden", spec_.hidden, RowSet::kTokens);
    writer_.Append(kEmbed, "embed", Family::kDevice, {}, {hidden_}, {tensors_.embedding},
                   EmbedParams{1});
    writer_.Append(kEmbedPositions, "embed_positions", Family::kDevice, {hidden_}, {hidden_},
                   {positions}, EmbedPositionsParams{});
    Norm("embed_norm", {hidden_}, tensors_.embedding_norm);
    for (int32_t i = 0; i < spec_.layers; ++i) {
      writer_.SetPrefix("layers." + std::to_string(i) + ".");
      Attention(tensors_.layers[static_cast<size_t>(i)]);
      FeedForward(tensors_.layers[static_cast<size_t>(i)]);
    }
    writer_.SetPrefix("");
    const Operand rows = writer_.NewValue("rows", spec_.hidden, RowSet::kLogitRows);
    writer_.Append(kGatherRows, "gather_rows", Family::kDevice, {hidden_}, {rows}, {},
                   GatherRowsParams{});
    return {rows.value};
  }

 private:
  // hidden = norm(the sum of the inputs)
  void Norm(const std::string& name, const std::vector<Operand>& inputs, const NormWeights& norm) {
    writer_.Append(kLayerNorm, name, Family::kDevice, inputs, {hidden_}, {norm.weight, norm.bias},
                   LayerNormParams{spec_.norm_epsilon});
  }

  void Attention(const EncoderLayerTensors& layer) {
    const int32_t hidden = spec_.hidden;
    const int32_t head_dim = hidden / spec_.heads;
    const Operand qkv = writer_.NewValue("qkv", 3 * hidden, RowSet::kTokens);
    writer_.Linear("qkv", {hidden_}, qkv, layer.qkv);
    const Operand attended = writer_.NewValue("attention", hidden, RowSet::kTokens);
    const BidirectionalAttentionParams params{spec_.heads, spec_.heads, head_dim,
                                              1 / std::sqrt(static_cast<float>(head_dim))};
    writer_.Append(
        kBidirectionalAttention, "attention", Family::kAttention,
        {SliceOf(qkv, 0, hidden), SliceOf(qkv, hidden, hidden), SliceOf(qkv, 2 * hidden, hidden)},
        {attended}, {}, params, Claim(Capability::kBidirectional));
    const Operand branch = writer_.NewValue("attention_output", hidden, RowSet::kTokens);
    writer_.Linear("attention_output", {attended}, branch, layer.output);
    Norm("attention_norm", {hidden_, branch}, layer.attention_norm);
  }

  void FeedForward(const EncoderLayerTensors& layer) {
    const Operand up = writer_.NewValue("ffn_up", spec_.ffn, RowSet::kTokens);
    writer_.Linear("ffn_up", {hidden_}, up, layer.up);
    writer_.Append(kActivate, "activate", Family::kDevice, {up}, {up}, {},
                   ActivateParams{spec_.activation});
    const Operand branch = writer_.NewValue("ffn_down", spec_.hidden, RowSet::kTokens);
    writer_.Linear("ffn_down", {up}, branch, layer.down);
    Norm("ffn_norm", {hidden_, branch}, layer.ffn_norm);
  }

  const EncoderSpec& spec_;
  const EncoderTensors& tensors_;
  ProgramWriter writer_;
  Operand hidden_{};
};

}  // namespace

ModelOutputs EmitEncoder(const EncoderSpec& spec, const EncoderTensors& tensors,
                         const Weight& positions, ProgramEditor& program) {
  return Emission(spec, tensors, program).All(positions);
}

}  // namespace tenon::models
