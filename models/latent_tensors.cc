// SPDX-License-Identifier: Apache-2.0
#include "models/latent_tensors.h"

#include <string_view>

#include "models/weight_layout.h"

namespace tenon::models {
namespace {

class LatentBinder {
 public:
  LatentBinder(const LatentSpec& spec, int32_t heads, LayerBinder& take)
      : spec_(spec), heads_(heads), take_(take) {}

  // The rows of q that turn of all heads, then those that do not: in the file they lie [nope |
  // rope] head by head.
  void AddQ(std::string_view name, int64_t columns, LinearWeights& out) {
    const int64_t head = spec_.nope_dim + spec_.rope_dim;
    const Weight q = take_.Matrix(name, heads_ * head, columns);
    if (q.tensor.data == nullptr) return;
    for (int64_t h = 0; h < heads_; ++h) {
      out.matrices.push_back(RowsOf(take_.Binder(), q, h * head + spec_.nope_dim, spec_.rope_dim));
    }
    for (int64_t h = 0; h < heads_; ++h) {
      out.matrices.push_back(RowsOf(take_.Binder(), q, h * head, spec_.nope_dim));
    }
  }

  void AddKeysAndValues(LatentTensors& out) {
    out.key = {1, heads_, {}, {}};
    out.value = {1, heads_, {}, {}};
    const LatentNames& n = spec_.names;
    if (!n.k_b.empty() && take_.Has(n.k_b)) {
      AddHeads(take_.Matrix(n.k_b, int64_t{heads_} * spec_.rank, spec_.nope_dim), spec_.rank,
               out.key);
      AddHeads(take_.Matrix(n.v_b, int64_t{heads_} * spec_.value_dim, spec_.rank), spec_.value_dim,
               out.value);
      return;
    }
    const int64_t head = spec_.nope_dim + spec_.value_dim;
    const Weight kv = take_.Matrix(n.kv_b, heads_ * head, spec_.rank);
    if (kv.tensor.data == nullptr) return;
    for (int64_t h = 0; h < heads_; ++h) {
      const Weight up_k = RowsOf(take_.Binder(), kv, h * head, spec_.nope_dim);
      out.key.weights.push_back(Transposed(take_.Binder(), up_k));
      out.value.weights.push_back(
          RowsOf(take_.Binder(), kv, h * head + spec_.nope_dim, spec_.value_dim));
    }
  }

 private:
  void AddHeads(const Weight& all, int64_t rows, GroupedWeights& out) {
    if (all.tensor.data == nullptr) return;
    for (int64_t h = 0; h < heads_; ++h) {
      out.weights.push_back(RowsOf(take_.Binder(), all, h * rows, rows));
    }
  }

  const LatentSpec& spec_;
  const int32_t heads_;
  LayerBinder& take_;
};

}  // namespace

LatentTensors BindLatent(const LatentSpec& spec, int32_t heads, int32_t hidden, LayerBinder& take) {
  LatentTensors out{};
  LatentBinder bind(spec, heads, take);
  if (spec.q_rank > 0) {
    out.input.matrices.push_back(take.Matrix(spec.names.q_a, spec.q_rank, hidden));
    out.q_norm = take.Norm(spec.names.q_a_norm, spec.q_rank);
    bind.AddQ(spec.names.q_b, spec.q_rank, out.q);
  } else {
    bind.AddQ(spec.names.q, hidden, out.input);
  }
  out.input.matrices.push_back(
      take.Matrix(spec.names.kv_a, int64_t{spec.rank} + spec.rope_dim, hidden));
  out.norm = take.Norm(spec.names.kv_a_norm, spec.rank);
  bind.AddKeysAndValues(out);
  return out;
}

}  // namespace tenon::models
