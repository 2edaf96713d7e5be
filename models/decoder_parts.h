// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "models/decoder_spec.h"
#include "models/decoder_tensors.h"
#include "models/program_writer.h"

// The parts of a decoder's layer, each emitted by a file of its own.
namespace tenon::models {

// What the parts of one layer share.
struct LayerEmission {
  const DecoderSpec& spec;
  const DecoderLayerTensors& weights;
  const std::vector<Weight>& inverse_frequencies;  // by RoPE table
  ProgramWriter& writer;
  int32_t layer;
  Operand hidden;

  const DecoderLayer& Numbers() const { return spec.layers[static_cast<size_t>(layer)]; }
  const RopeSpec& Rope() const { return spec.ropes[Numbers().rope]; }

  // A new value: the norm of hidden.
  Operand NormOfHidden(const std::string& name, const Weight& weight) const;
  // Turns `heads` heads of `head_dim` columns in place.
  void Turn(const std::string& name, Operand x, int32_t heads, int32_t head_dim) const;
  // hidden += [norm] (linear · in)
  void AddToHidden(const std::string& name, Operand in, const LinearWeights& linear,
                   const Weight& norm) const;
  // A new value: glu of gate · x and up · x, `columns` of each.
  Operand GatedUp(const std::string& prefix, Operand x, const LinearWeights& gate_up,
                  int32_t columns) const;
};

// hidden += attention(norm(hidden)), by heads with K and V of their own.
void EmitAttention(const LayerEmission& emit);

// The same by latent attention in its absorbed form: W_uk is applied to the query and W_uv to the
// result, so that only latent rows are stored.
void EmitLatentAttention(const LayerEmission& emit);

// hidden += down · glu(gate · x, up · x), x = norm(hidden).
void EmitFeedForward(const LayerEmission& emit);

// hidden += the weighted sum of the experts that x goes to, and of those that all go to.
void EmitExperts(const LayerEmission& emit);

}  // namespace tenon::models
