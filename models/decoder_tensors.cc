// SPDX-License-Identifier: Apache-2.0
#include "models/decoder_tensors.h"

#include <initializer_list>
#include <string>
#include <utility>

#include "models/rope.h"

namespace tenon::models {
namespace {

struct Part {
  std::string_view name;
  int64_t rows;
};

class LayerBinder {
 public:
  LayerBinder(TensorBinder& binder, std::string_view pattern, size_t layer)
      : binder_(binder), prefix_(pattern) {
    const size_t at = prefix_.find("{}");
    if (at != std::string::npos) prefix_.replace(at, 2, std::to_string(layer));
  }

  Weight Norm(std::string_view name, int64_t columns) {
    return binder_.Vector(Name(name, ".weight"), columns);
  }

  LinearWeights Linear(std::initializer_list<Part> parts, int64_t columns, bool bias) {
    LinearWeights out;
    for (const Part& part : parts) {
      out.matrices.push_back(binder_.Matrix(Name(part.name, ".weight"), part.rows, columns));
      if (bias) out.biases.push_back(binder_.Vector(Name(part.name, ".bias"), part.rows));
    }
    return out;
  }

 private:
  std::string Name(std::string_view name, const char* ending) const {
    return prefix_ + std::string(name) + ending;
  }

  TensorBinder& binder_;
  std::string prefix_;
};

DecoderLayerTensors BindLayer(const DecoderSpec& spec, TensorBinder& binder, size_t layer) {
  const DecoderNames& n = spec.names;
  const int64_t q_columns = int64_t{spec.heads} * spec.head_dim;
  const int64_t kv_columns = int64_t{spec.kv_heads} * spec.head_dim;
  LayerBinder take(binder, n.layer, layer);
  DecoderLayerTensors out{};
  out.attention_norm = take.Norm(n.attention_norm, spec.hidden);
  out.qkv = n.qkv.empty()
                ? take.Linear({{n.q, q_columns}, {n.k, kv_columns}, {n.v, kv_columns}}, spec.hidden,
                              spec.qkv_bias)
                : take.Linear({{n.qkv, q_columns + 2 * kv_columns}}, spec.hidden, spec.qkv_bias);
  if (spec.qk_norms) {
    out.q_norm = take.Norm(n.q_norm, spec.head_dim);
    out.k_norm = take.Norm(n.k_norm, spec.head_dim);
  }
  out.output = take.Linear({{n.output, spec.hidden}}, q_columns, spec.output_bias);
  out.ffn_norm = take.Norm(n.ffn_norm, spec.hidden);
  out.gate_up =
      n.gate_up.empty()
          ? take.Linear({{n.gate, spec.ffn}, {n.up, spec.ffn}}, spec.hidden, spec.ffn_bias)
          : take.Linear({{n.gate_up, 2 * int64_t{spec.ffn}}}, spec.hidden, spec.ffn_bias);
  out.down = take.Linear({{n.down, spec.hidden}}, spec.ffn, spec.ffn_bias);
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
  for (size_t layer = 0; layer < spec.layers.size(); ++layer) {
    out.layers.push_back(BindLayer(spec, binder, layer));
  }
  return out;
}

}  // namespace tenon::models
