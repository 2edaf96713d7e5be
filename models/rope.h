// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace tenon::models {

class Settings;

// How frequencies are changed for contexts beyond the one trained first.
enum class RopeScaling { kNone, kLinear, kLlama3, kYarn };

// One table of rotary frequencies. Su et al. 2021, "RoFormer"; llama3: Dubey et al. 2024, "The
// Llama 3 Herd of Models"; yarn: Peng et al. 2023, "YaRN".
struct RopeSpec {
  double theta = 10000;
  int32_t rotary_dim = 0;  // columns of a head that turn; even
  RopeScaling scaling = RopeScaling::kNone;
  double factor = 1;            // linear, llama3, yarn
  double low_frequency = 1;     // llama3: waves longer than original_context / low are scaled
  double high_frequency = 4;    // llama3: waves shorter than original_context / high are not
  double original_context = 0;  // llama3, yarn; in tokens
  double beta_fast = 32;        // yarn: pairs that turn this often in original_context are kept
  double beta_slow = 1;         // yarn: pairs that turn no oftener are divided by factor
  bool whole_ramp = true;       // yarn: the ramp between the two begins and ends on a whole pair
  float magnitude = 1;          // RopeParams::magnitude
  float score_magnitude = 1;    // yarn in DeepSeek's form: its square multiplies attention_scale
};

// [rotary_dim / 2], entry i = theta^(-2 i / rotary_dim), scaled as the spec says. Rounded to f32
// where the reference implementation rounds.
std::vector<float> InverseFrequencies(const RopeSpec& spec);

// Reads a table from a Hugging Face config: {rope_theta, rope_type, …} under `group` where it is
// there ("rope_parameters", "rope_parameters.full_attention"), else the older rope_theta and
// rope_scaling. Dynamic NTK is default RoPE up to max_position_embeddings, beyond which no sequence
// goes. Problems go to `in`.
RopeSpec ReadConfigRope(Settings& in, std::string_view group, int32_t head_dim,
                        double default_theta);

// Reads rope.* of a GGUF file; `in` has the architecture as its prefix.
RopeSpec ReadGgufRope(Settings& in, int32_t head_dim);

}  // namespace tenon::models
