// SPDX-License-Identifier: Apache-2.0
#include "models/decoder_emission.h"

#include <string>

#include "models/decoder_parts.h"
#include "models/program_writer.h"
#include "tenon/ops.h"

namespace tenon::models {
namespace {

void EmitLayer(const LayerEmission& emit) {
  emit.writer.SetPrefix("layers." + std::to_string(emit.layer) + ".");
  if (emit.spec.latent.rank > 0) {
    EmitLatentAttention(emit);
  } else {
    EmitAttention(emit);
  }
  if (emit.Numbers().experts) {
    EmitExperts(emit);
  } else {
    EmitFeedForward(emit);
  }
  emit.writer.SetPrefix("");
}

// Everything up to the final norm of the rows asked for.
Operand EmitBody(const DecoderSpec& spec, const DecoderTensors& tensors, ProgramWriter& writer) {
  const Operand hidden = writer.NewValue("hidden", spec.hidden);
  writer.Append(kEmbed, "embed", Family::kDevice, {}, {hidden}, {tensors.embedding},
                EmbedParams{spec.embedding_scale});
  for (size_t i = 0; i < spec.layers.size(); ++i) {
    EmitLayer({spec, tensors.layers[i], tensors.inverse_frequencies, writer,
               static_cast<int32_t>(i), hidden});
  }
  const Operand rows = writer.NewValue("rows", spec.hidden, RowSet::kLogitRows);
  writer.Append(kGatherRows, "gather_rows", Family::kDevice, {hidden}, {rows}, {},
                GatherRowsParams{});
  const Operand normed = writer.NewValue("final_norm", spec.hidden, RowSet::kLogitRows);
  writer.Norm("final_norm", rows, normed, tensors.final_norm, spec.norm_epsilon, spec.norm_offset);
  return normed;
}

}  // namespace

Result<ModelOutputs> EmitDecoder(const DecoderSpec& spec, const DecoderTensors& tensors,
                                 ProgramEditor& program) {
  ProgramWriter writer(program);
  const Operand normed = EmitBody(spec, tensors, writer);
  const Operand logits = writer.NewValue("logits", spec.vocabulary, RowSet::kLogitRows);
  writer.Linear("head", {normed}, logits, {{tensors.head}, {}});
  if (spec.logits_cap > 0) {
    writer.Append(kSoftCap, "logits_cap", Family::kDevice, {logits}, {logits}, {},
                  SoftCapParams{spec.logits_cap});
  }
  return ModelOutputs{logits.value};
}

Result<ModelOutputs> EmitDecoderHidden(const DecoderSpec& spec, const DecoderTensors& tensors,
                                       ProgramEditor& program) {
  ProgramWriter writer(program);
  return ModelOutputs{EmitBody(spec, tensors, writer).value};
}

}  // namespace tenon::models
