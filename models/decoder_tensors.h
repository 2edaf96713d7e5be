// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "models/decoder_spec.h"
#include "models/expert_tensors.h"
#include "models/latent_tensors.h"
#include "models/layer_binder.h"
#include "models/tensor_binder.h"
#include "tenon/op.h"

namespace tenon::models {

struct DecoderLayerTensors {
  Weight attention_norm, q_norm, k_norm, post_attention_norm, ffn_norm, post_ffn_norm;
  Weight sinks;  // f32 [1, heads]
  LinearWeights qkv, output, gate_up, down;
  LatentTensors latent;   // instead of qkv
  ExpertTensors experts;  // instead of gate_up and down
};

// The weights that a decoder's ops need; absent ones have data == null.
struct DecoderTensors {
  Weight embedding, final_norm, head;
  std::vector<Weight> inverse_frequencies;  // by RoPE table
  std::vector<DecoderLayerTensors> layers;
};

// Takes them out of `binder`'s file by the spec's names and sizes. What is wrong is kept in the
// binder (TensorBinder::Check).
DecoderTensors BindTensors(const DecoderSpec& spec, TensorBinder& binder);

}  // namespace tenon::models
