// SPDX-License-Identifier: Apache-2.0
#include "models/decoder_parts.h"
#include "tenon/ops.h"

namespace tenon::models {
namespace {

struct Projected {
  Operand q_rope;  // [heads * rope_dim]
  Operand q_nope;  // [heads * nope_dim]
  Operand latent;  // [rank]
  Operand k_rope;  // [rope_dim]
};

// [q_rope | q_nope | latent | k_rope] in one linear, or [q_a | latent | k_rope] and [q_rope |
// q_nope] from the norm of q_a.
Projected Project(const LayerEmission& emit, Operand normed) {
  const LatentSpec& latent = emit.spec.latent;
  const LatentTensors& weights = emit.weights.latent;
  const int32_t rope_columns = emit.spec.heads * latent.rope_dim;
  const int32_t nope_columns = emit.spec.heads * latent.nope_dim;
  const int32_t before = latent.q_rank > 0 ? latent.q_rank : rope_columns + nope_columns;
  const Operand all = emit.writer.NewValue("q_kv", before + latent.rank + latent.rope_dim);
  emit.writer.Linear("q_kv", {normed}, all, weights.input);
  Operand q = SliceOf(all, 0, before);
  if (latent.q_rank > 0) {
    emit.writer.Norm("q_a_norm", q, q, weights.q_norm, latent.norm_epsilon);
    const Operand heads = emit.writer.NewValue("q", rope_columns + nope_columns);
    emit.writer.Linear("q", {q}, heads, weights.q);
    q = heads;
  }
  return {SliceOf(q, 0, rope_columns), SliceOf(q, rope_columns, nope_columns),
          SliceOf(all, before, latent.rank), SliceOf(all, before + latent.rank, latent.rope_dim)};
}

}  // namespace

void EmitLatentAttention(const LayerEmission& emit) {
  const LatentSpec& latent = emit.spec.latent;
  const LatentTensors& weights = emit.weights.latent;
  const int32_t heads = emit.spec.heads;
  const Operand normed = emit.NormOfHidden("attention_norm", emit.weights.attention_norm);
  const Projected x = Project(emit, normed);
  emit.writer.Norm("kv_a_norm", x.latent, x.latent, weights.norm, latent.norm_epsilon);
  emit.Turn("q_rope", x.q_rope, heads, latent.rope_dim);
  emit.Turn("k_rope", x.k_rope, 1, latent.rope_dim);
  const Operand q_latent = emit.writer.NewValue("q_latent", heads * latent.rank);
  emit.writer.GroupedLinear("q_latent", {x.q_nope}, q_latent, weights.key, heads, true);
  const Operand attended = emit.writer.NewValue("attention", heads * latent.rank);
  const LatentAttentionParams params{emit.layer, heads, latent.rank, latent.rope_dim,
                                     emit.spec.attention_scale};
  emit.writer.Append(kLatentAttention, "attention", Family::kAttention,
                     {q_latent, x.q_rope, x.latent, x.k_rope}, {attended}, {}, params,
                     Claim(Capability::kLatentKv));
  const Operand values = emit.writer.NewValue("values", heads * latent.value_dim);
  emit.writer.GroupedLinear("values", {attended}, values, weights.value, heads, true);
  emit.AddToHidden("attention_output", values, emit.weights.output,
                   emit.weights.post_attention_norm);
}

}  // namespace tenon::models
