// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

#include "tenon/ops.h"

namespace tenon::models {

class Settings;

// How a file holds the experts' matrices.
enum class ExpertLayout {
  kApart,        // a tensor an expert; "{}" in the names is its number
  kStacked,      // one tensor for all, expert after expert
  kInterleaved,  // likewise, each transposed, gate and up by turns in the columns of one; or in
                 // MXFP4, not transposed, gate and up by turns in the rows of one
};

// Names of a layer's tensors, as in DecoderNames. With kInterleaved names are whole, and biases
// have "_bias" appended.
struct ExpertNames {
  std::string_view router;
  std::string_view correction;  // whole; RouteParams' bias
  std::string_view gate, up, down;
  std::string_view gate_up;  // kStacked: stands for gate and up where the file has it
  std::string_view shared_gate, shared_up, shared_down, shared_router;
};

ExpertNames GgufExpertNames();         // ffn_gate_inp, ffn_gate_exps, …
ExpertNames HuggingFaceExpertNames();  // mlp.gate, mlp.experts.{}.gate_proj, …

// A feed-forward block of experts, of which each token goes to a few, in numbers.
//
//   h += Σ over the chosen of weight * (down · glu(gate·x, up·x))          x = norm(h)
//   h += [sigmoid(shared_router·x)] (shared_down · glu(shared_gate·x, shared_up·x))
//
// Parts in brackets where the flags say so; the second line where shared_ffn > 0.
struct ExpertSpec {
  RouteParams route = {0, 0, 1, 1, RouteScore::kSoftmax, GroupScore::kBest, 0, 1};
  int32_t ffn = 0;              // columns of one expert between gate/up and down
  bool bias = false;            // of the router and of the experts' matrices
  bool has_correction = false;  // the choice has a bias: names.correction
  bool clamped = false;         // ClampedGluParams instead of the decoder's activation
  ClampedGluParams clamp = {1.702f, 7.0f};
  int32_t shared_ffn = 0;  // columns of the experts that all tokens go to; 0: there are none
  bool shared_has_router = false;
  ExpertLayout layout = ExpertLayout::kApart;
  ExpertNames names;
};

// Reads expert_count, expert_used_count and what else GGUF has for all architectures with experts.
// Shared experts are left to the caller.
ExpertSpec ReadGgufExperts(Settings& in);

// Reads sizes from a Hugging Face config: `count` is the key of the number of experts, `ffn` of
// one's columns.
ExpertSpec ReadConfigExperts(Settings& in, std::string_view count, std::string_view ffn);

// Routing that cannot be, or sizes beyond what the engine counts with, are problems of `in`.
void CheckExperts(Settings& in, const ExpertSpec& experts, int32_t hidden);

}  // namespace tenon::models
