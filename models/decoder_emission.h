// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "models/decoder_spec.h"
#include "models/decoder_tensors.h"
#include "tenon/model.h"
#include "tenon/program.h"
#include "tenon/result.h"

namespace tenon::models {

// Appends a decoder's whole computation to an empty Program. q, k and v are one linear, and so are
// gate and up; q and k turn in one RoPE op; sums with the residual are part of the linear before
// them unless a norm stands between. REQUIRES: the tensors fit the spec.
Result<ModelOutputs> EmitDecoder(const DecoderSpec& spec, const DecoderTensors& tensors,
                                 ProgramEditor& program);

// The same without the head: up to the final norm.
Result<ModelOutputs> EmitDecoderHidden(const DecoderSpec& spec, const DecoderTensors& tensors,
                                       ProgramEditor& program);

}  // namespace tenon::models
