// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "models/latent_spec.h"
#include "models/layer_binder.h"
#include "tenon/op.h"

namespace tenon::models {

// The weights of one layer's latent attention in its absorbed form.
struct LatentTensors {
  LinearWeights input;   // rows of q_rope of all heads, q_nope of all heads, kv_a; or q_a, kv_a
  Weight q_norm;         // [1, q_rank]; absent without q_rank
  LinearWeights q;       // rows of q_rope of all heads, q_nope of all heads; absent likewise
  Weight norm;           // [1, rank]
  GroupedWeights key;    // a head: W_uk transposed, [rank, nope_dim]
  GroupedWeights value;  // a head: W_uv, [value_dim, rank]
};

LatentTensors BindLatent(const LatentSpec& spec, int32_t heads, int32_t hidden, LayerBinder& take);

}  // namespace tenon::models
