// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string_view>

#include "models/adapter_target.h"
#include "models/decoder_spec.h"
#include "models/stored_model.h"

namespace tenon::models {

// The stored matrix of a decoder's module: q, k, v, o, gate, up, down and their fused forms of a
// layer, and lm_head. Nothing for other modules, and for those that the file does not have.
std::optional<AdapterTarget> FindDecoderTarget(const DecoderSpec& spec, const ModelFiles& files,
                                               std::string_view module);

}  // namespace tenon::models
