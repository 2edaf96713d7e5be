// SPDX-License-Identifier: Apache-2.0
#include "models/decoder_parts.h"
#include "tenon/ops.h"

namespace tenon::models {

void EmitAttention(const LayerEmission& emit) {
  const DecoderSpec& spec = emit.spec;
  const int32_t q_columns = spec.heads * spec.head_dim;
  const int32_t kv_columns = spec.kv_heads * spec.head_dim;
  const Operand normed = emit.NormOfHidden("attention_norm", emit.weights.attention_norm);
  const Operand qkv = emit.writer.NewValue("qkv", q_columns + 2 * kv_columns);
  emit.writer.Linear("qkv", {normed}, qkv, emit.weights.qkv);
  const Operand q = SliceOf(qkv, 0, q_columns);
  const Operand k = SliceOf(qkv, q_columns, kv_columns);
  const Operand v = SliceOf(qkv, q_columns + kv_columns, kv_columns);
  if (spec.qk_norms) {
    emit.writer.Norm("q_norm", q, q, emit.weights.q_norm, spec.norm_epsilon, spec.norm_offset);
    emit.writer.Norm("k_norm", k, k, emit.weights.k_norm, spec.norm_epsilon, spec.norm_offset);
  }
  emit.Turn("rope", SliceOf(qkv, 0, q_columns + kv_columns), spec.heads + spec.kv_heads,
            spec.head_dim);
  const Operand attended = emit.writer.NewValue("attention", q_columns);
  const AttentionParams params{
      emit.layer,          spec.heads,           spec.kv_heads,         spec.head_dim,
      spec.head_dim,       spec.attention_scale, emit.Numbers().window, spec.attention_cap,
      spec.sinks ? 1u : 0u};
  std::vector<Weight> weights;
  if (spec.sinks) weights.push_back(emit.weights.sinks);
  emit.writer.Append(kAttention, "attention", Family::kAttention, {q, k, v}, {attended}, weights,
                     params, NeedsOf(params));
  emit.AddToHidden("attention_output", attended, emit.weights.output,
                   emit.weights.post_attention_norm);
}

}  // namespace tenon::models
