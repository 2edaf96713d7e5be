// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "models/expert_spec.h"
#include "models/latent_spec.h"
#include "models/rope.h"
#include "tenon/ops.h"

namespace tenon::models {

class Settings;

// How a format names the tensors of a decoder. Those of a layer stand behind `layer`, where "{}" is
// its number; all but whole names get ".weight" or ".bias" appended.
struct DecoderNames {
  std::string_view embedding, final_norm, head;
  std::string_view rope_factors;  // whole; f32 [1, rotary_dim / 2] divisors, or empty: none
  std::string_view layer;
  std::string_view attention_norm, q, k, v, q_norm, k_norm, output, post_attention_norm;
  std::string_view ffn_norm, gate, up, down, post_ffn_norm;
  std::string_view sinks;    // whole
  std::string_view qkv;      // one matrix with the rows of q, k and v; empty: they are apart
  std::string_view gate_up;  // one matrix with the rows of gate and up; empty: they are apart
};

DecoderNames GgufNames();         // token_embd, blk.3.attn_q, …
DecoderNames HuggingFaceNames();  // model.embed_tokens, model.layers.3.self_attn.q_proj, …

// Where the last linear's weights are.
enum class Head {
  kTied,        // the embedding's
  kOwn,         // a tensor of its own
  kWhatIsThere  // its own if the file has it, else the embedding's
};

// What differs from layer to layer.
struct DecoderLayer {
  int32_t window = 0;    // 0: sees everything before it
  uint32_t rope = 0;     // index into DecoderSpec::ropes
  bool experts = false;  // the feed-forward block is DecoderSpec::experts
};

// What a family's layers are made of, beside what all have.
enum class LayerKind {
  kDense,          // attention of heads that have K and V of their own, a gated feed-forward block
  kExperts,        // the same, with experts in some or all layers
  kLatentExperts,  // latent attention, with experts in some layers
};

// A decoder-only transformer with gated feed-forward blocks, in numbers.
//
//   h = embedding_scale * embedding[token]
//   h += [post_norm] (output · attention(rope([norm] q·x), rope([norm] k·x), v·x)),  x = norm(h)
//   h += [post_norm] (down · (activation(gate·x) * up·x)),                           x = norm(h)
//   logits = [cap] (head · norm(h))
//
// Parts in brackets where the flags say so; feed-forward blocks of experts and latent attention
// have their own specs.
struct DecoderSpec {
  std::string architecture;
  int32_t vocabulary = 0;  // 0: as many as the embedding has rows
  int32_t hidden = 0;
  int32_t heads = 0;
  int32_t kv_heads = 0;  // divides heads
  int32_t head_dim = 0;
  int32_t ffn = 0;  // columns between gate/up and down of dense blocks; 0: there are none
  int32_t max_context = 0;
  float norm_epsilon = 0;
  float norm_offset = 0;  // RmsNormParams::weight_offset of every norm
  float embedding_scale = 1;
  float attention_scale = 0;
  float attention_cap = 0;  // 0: none
  float logits_cap = 0;     // 0: none
  Activation activation = Activation::kSilu;
  RopePairs pairs = RopePairs::kHalves;
  bool qkv_bias = false;
  bool output_bias = false;
  bool ffn_bias = false;
  bool qk_norms = false;      // over each head, before RoPE
  bool post_norms = false;    // after attention and after feed-forward, before the residual sum
  bool sinks = false;         // AttentionParams::has_sinks
  int32_t unused_layers = 0;  // stored behind the last, to predict further tokens; ignored
  LatentSpec latent;          // rank 0: attention is of the usual kind
  ExpertSpec experts;         // route.experts 0: there are none
  Head head = Head::kTied;
  DecoderNames names;
  std::vector<RopeSpec> ropes;
  std::vector<DecoderLayer> layers;
};

// The sizes that all decoders have, out of a GGUF file's <architecture>.* keys or a Hugging Face
// config, with one RoPE table left to the caller, layers without window, and
// attention_scale = 1 / sqrt(head_dim). Impossible sizes are problems of `in`. Of kLatentExperts
// the heads' columns are left to the caller too, and experts are always.
DecoderSpec ReadGgufDecoder(Settings& in, std::string_view architecture,
                            LayerKind kind = LayerKind::kDense);
DecoderSpec ReadConfigDecoder(Settings& in, std::string_view architecture,
                              LayerKind kind = LayerKind::kDense);

// Whether the file says that there are experts: GGUF's expert_count.
bool GgufHasExperts(Settings& in);

// CheckExperts, and whether dense layers between those with experts have their columns.
void CheckExpertLayers(Settings& in, const DecoderSpec& spec);

// silu, gelu_pytorch_tanh and gelu by their Hugging Face names; others are problems of `in`.
Activation ReadActivation(Settings& in, std::string_view key, std::string_view fallback);

}  // namespace tenon::models
