// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

namespace tenon::models {

class Settings;

// Names of a layer's tensors, as in DecoderNames.
struct LatentNames {
  std::string_view q;                   // without q_rank
  std::string_view q_a, q_a_norm, q_b;  // with it
  std::string_view kv_a, kv_a_norm, kv_b;
  std::string_view k_b, v_b;  // stand for kv_b where the file has them; W_uk of a head transposed
};

// Multi-head latent attention, in numbers: K and V of all heads are read out of one latent row of
// `rank` columns a token, beside a part of K that turns and that all heads share. DeepSeek-AI 2024,
// "DeepSeek-V2: A Strong, Economical, and Efficient Mixture-of-Experts Language Model".
//
//   [latent | k_rope] = kv_a · x,   latent = norm(latent)
//   q of a head = [q_nope | q_rope] = q · x,  or  q_b · norm(q_a · x)
//   [k_nope | v] of a head = kv_b · latent
struct LatentSpec {
  int32_t rank = 0;    // 0: attention is not of this kind
  int32_t q_rank = 0;  // 0: q comes from x
  int32_t nope_dim = 0;
  int32_t rope_dim = 0;  // even
  int32_t value_dim = 0;
  float norm_epsilon = 0;  // of the norms inside
  LatentNames names;
};

// kv_lora_rank, q_lora_rank, qk_nope_head_dim, … of a Hugging Face config.
LatentSpec ReadConfigLatent(Settings& in, int32_t heads);

// attention.kv_lora_rank, attention.key_length_mla, … of a GGUF file, or attention.key_length where
// it is older.
LatentSpec ReadGgufLatent(Settings& in, int32_t heads, float norm_epsilon);

}  // namespace tenon::models
