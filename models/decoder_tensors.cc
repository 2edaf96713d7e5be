// SPDX-License-Identifier: Apache-2.0
#include "models/decoder_tensors.h"

#include <string>
#include <utility>

#include "models/rope.h"

namespace tenon::models {
namespace {

void BindAttention(const DecoderSpec& spec, LayerBinder& take, DecoderLayerTensors& out) {
  const DecoderNames& n = spec.names;
  const int64_t q = int64_t{spec.heads} * spec.head_dim;
  const int64_t kv = int64_t{spec.kv_heads} * spec.head_dim;
  out.qkv = n.qkv.empty()
                ? take.Linear({{n.q, q}, {n.k, kv}, {n.v, kv}}, spec.hidden, spec.qkv_bias)
                : take.Fused(n.qkv, {q, kv, kv}, spec.hidden, spec.qkv_bias);
  if (spec.qk_norms) {
    out.q_norm = take.Norm(n.q_norm, spec.head_dim);
    out.k_norm = take.Norm(n.k_norm, spec.head_dim);
  }
  if (spec.sinks) out.sinks = take.Binder().Vector(take.Name(n.sinks, ""), spec.heads);
  out.output = take.Linear({{n.output, spec.hidden}}, q, spec.output_bias);
}

void BindFeedForward(const DecoderSpec& spec, LayerBinder& take, DecoderLayerTensors& out) {
  const DecoderNames& n = spec.names;
  out.gate_up =
      n.gate_up.empty()
          ? take.Linear({{n.gate, spec.ffn}, {n.up, spec.ffn}}, spec.hidden, spec.ffn_bias)
          : take.Fused(n.gate_up, {spec.ffn, spec.ffn}, spec.hidden, spec.ffn_bias);
  out.down = take.Linear({{n.down, spec.hidden}}, spec.ffn, spec.ffn_bias);
}

DecoderLayerTensors BindLayer(const DecoderSpec& spec, TensorBinder& binder, size_t layer) {
  const DecoderNames& n = spec.names;
  LayerBinder take(binder, n.layer, layer);
  DecoderLayerTensors out{};
  out.attention_norm = take.Norm(n.attention_norm, spec.hidden);
  if (spec.latent.rank > 0) {
    out.latent = BindLatent(spec.latent, spec.heads, spec.hidden, take);
    out.output = take.Linear({{n.output, spec.hidden}}, int64_t{spec.heads} * spec.latent.value_dim,
                             spec.output_bias);
  } else {
    BindAttention(spec, take, out);
  }
  out.ffn_norm = take.Norm(n.ffn_norm, spec.hidden);
  if (spec.layers[layer].experts) {
    out.experts = BindExperts(spec.experts, spec.hidden, take);
  } else {
    BindFeedForward(spec, take, out);
  }
  if (spec.post_norms) {
    out.post_attention_norm = take.Norm(n.post_attention_norm, spec.hidden);
    out.post_ffn_norm = take.Norm(n.post_ffn_norm, spec.hidden);
  }
  return out;
}

std::vector<Weight> BindRopes(const DecoderSpec& spec, TensorBinder& binder) {
  std::vector<Weight> out;
  const std::string factors_name(spec.names.rope_factors);
  const bool has_factors = !factors_name.empty() && binder.Has(factors_name);
  for (size_t i = 0; i < spec.ropes.size(); ++i) {
    std::vector<float> table = InverseFrequencies(spec.ropes[i]);
    if (has_factors) {
      const Weight factors = binder.Vector(factors_name, static_cast<int64_t>(table.size()));
      const float* by = static_cast<const float*>(factors.tensor.data);
      for (size_t j = 0; by != nullptr && j < table.size(); ++j) table[j] /= by[j];
    }
    out.push_back(binder.Own("rope." + std::to_string(i) + ".inverse_frequency", std::move(table)));
  }
  return out;
}

bool OwnsHead(const DecoderSpec& spec, const TensorBinder& binder) {
  if (spec.head == Head::kWhatIsThere) return binder.Has(std::string(spec.names.head));
  return spec.head == Head::kOwn;
}

}  // namespace

DecoderTensors BindTensors(const DecoderSpec& spec, TensorBinder& binder) {
  DecoderTensors out{};
  const std::string embedding(spec.names.embedding);
  const std::string head(spec.names.head);
  out.embedding = binder.Matrix(embedding, spec.vocabulary, spec.hidden);
  out.final_norm = binder.Vector(std::string(spec.names.final_norm), spec.hidden);
  if (OwnsHead(spec, binder)) {
    out.head = binder.Matrix(head, out.embedding.tensor.rows, spec.hidden);
  } else {
    binder.Ignore(head);
    out.head = out.embedding;
  }
  out.inverse_frequencies = BindRopes(spec, binder);
  if (out.embedding.scales.data != nullptr) {
    binder.Wrong(embedding + " has factors beside it, which an embedding cannot have");
  }
  for (size_t layer = 0; layer < spec.layers.size() && !binder.HopelesslyIncomplete(); ++layer) {
    out.layers.push_back(BindLayer(spec, binder, layer));
  }
  for (int32_t i = 0; i < spec.unused_layers; ++i) {
    binder.IgnoreAll(LayerBinder(binder, spec.names.layer, spec.layers.size() + i).Name("", ""));
  }
  return out;
}

}  // namespace tenon::models
