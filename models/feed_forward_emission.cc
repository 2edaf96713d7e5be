// SPDX-License-Identifier: Apache-2.0
#include "models/decoder_parts.h"

namespace tenon::models {

void EmitFeedForward(const LayerEmission& emit) {
  const Operand x = emit.NormOfHidden("ffn_norm", emit.weights.ffn_norm);
  const Operand activated = emit.GatedUp("", x, emit.weights.gate_up, emit.spec.ffn);
  emit.AddToHidden("ffn_down", activated, emit.weights.down, emit.weights.post_ffn_norm);
}

}  // namespace tenon::models
