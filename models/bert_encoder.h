// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "models/stored_model.h"
#include "tenon/ops.h"
#include "tenon/result.h"

namespace tenon::models {

// How a format names the tensors of an encoder. Those of a layer stand behind `layer`, where "{}"
// is its number; ".weight" or ".bias" is appended (also ".gamma", ".beta" in old files' norms).
struct EncoderNames {
  std::string_view prefix;  // may stand before every name, as "bert." does in a task's checkpoint
  std::string_view embedding, positions, embedding_norm;
  std::string_view token_types;  // empty: none
  std::string_view layer;
  std::string_view q, k, v, output, attention_norm;
  std::string_view up, down, ffn_norm;
  std::vector<std::string_view> ignored;  // modules behind the last hidden states
};

EncoderNames GgufEncoderNames();  // token_embd, blk.3.attn_q, …
EncoderNames BertNames();         // embeddings.word_embeddings, encoder.layer.3.…
EncoderNames RobertaNames();      // the same, in a task's checkpoint under "roberta."
EncoderNames DistilBertNames();   // transformer.layer.3.attention.q_lin, …

// A post-norm encoder with learnt absolute positions, in numbers. Devlin et al. 2018, "BERT".
//
//   h = norm(embedding[token] + positions[position + position_offset] + token_types[0])
//   h = norm(h + output · attention(q·h, k·h, v·h))
//   h = norm(h + down · activation(up · h))
//
// All linears have biases; norm is LayerNorm; attention sees the whole sequence.
struct EncoderSpec {
  std::string architecture;
  int32_t vocabulary = 0;  // 0: as many as the embedding has rows
  int32_t hidden = 0;
  int32_t layers = 0;
  int32_t heads = 0;  // divides hidden
  int32_t ffn = 0;
  int32_t position_rows = 0;
  int32_t position_offset = 0;  // rows before that of position 0
  int32_t token_types = 0;      // 0: as many as there are rows
  float norm_epsilon = 0;
  Activation activation = Activation::kGelu;
  EncoderNames names;

  int32_t MaxContext() const { return position_rows - position_offset; }
};

// The model of that spec. Its Emit is kUnsupported.
Result<std::unique_ptr<StoredModel>> MakeEncoder(EncoderSpec spec, ModelFiles files);

}  // namespace tenon::models
