// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "models/bert_encoder.h"
#include "models/layer_binder.h"
#include "models/tensor_binder.h"

namespace tenon::models {

struct NormWeights {
  Weight weight;  // f32 [1, hidden]
  Weight bias;    // f32 [1, hidden]
};

struct EncoderLayerTensors {
  LinearWeights qkv;     // [3 * hidden, hidden]
  LinearWeights output;  // [hidden, hidden]
  NormWeights attention_norm;
  LinearWeights up;    // [ffn, hidden]
  LinearWeights down;  // [hidden, ffn]
  NormWeights ffn_norm;
};

struct EncoderTensors {
  Weight embedding;    // [vocabulary, hidden]
  Weight positions;    // as stored, from position 0 on: [max_context, hidden]
  Weight token_types;  // as stored; data == null: none
  NormWeights embedding_norm;
  std::vector<EncoderLayerTensors> layers;
};

// Takes all tensors of the encoder; what is missing or does not fit is told by binder.Check.
EncoderTensors BindEncoder(const EncoderSpec& spec, TensorBinder& binder);

// positions[i] + token_types[0] in f32, [max_context, hidden]: what a text of one part adds to a
// token at position i. REQUIRES: binder.Check passed.
std::vector<float> FoldPositions(const EncoderTensors& tensors);

}  // namespace tenon::models
