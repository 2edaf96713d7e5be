// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "models/expert_spec.h"
#include "models/layer_binder.h"
#include "tenon/op.h"

namespace tenon::models {

// The weights of one layer's experts; absent ones have data == null or are empty.
struct ExpertTensors {
  LinearWeights router;    // [experts, hidden]
  Weight correction;       // f32 [1, experts]
  GroupedWeights gate_up;  // two matrices [ffn, hidden] an expert
  GroupedWeights down;     // [hidden, ffn] an expert
  LinearWeights shared_gate_up, shared_down;
  LinearWeights shared_router;  // [1, hidden]
};

ExpertTensors BindExperts(const ExpertSpec& spec, int32_t hidden, LayerBinder& take);

}  // namespace tenon::models
