// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "models/decoder_spec.h"

namespace tenon::models {

class Settings;

// What the Qwen family's configs say of experts: num_experts (or num_local_experts),
// moe_intermediate_size, norm_topk_prob. Shared experts are left to the caller.
ExpertSpec ReadQwenExperts(Settings& in);

// Which layers have them: every decoder_sparse_step-th, but for those in mlp_only_layers.
void ReadQwenExpertLayers(Settings& in, DecoderSpec& spec);

}  // namespace tenon::models
