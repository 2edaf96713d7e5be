// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "models/bert_tensors.h"
#include "tenon/model.h"

namespace tenon::models {

// Appends the encoder's ops to `program`, from token ids to the last hidden states of the logit
// rows. `positions` is f32 [max_context, hidden], FoldPositions' as a weight.
ModelOutputs EmitEncoder(const EncoderSpec& spec, const EncoderTensors& tensors,
                         const Weight& positions, ProgramEditor& program);

}  // namespace tenon::models
