// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "models/decoder_spec.h"
#include "models/stored_model.h"
#include "tenon/result.h"

namespace tenon::models {

// The model that `spec` describes, with the weights in `files`. Fails with one message that names
// every tensor that is missing, misshapen, or not expected.
Result<std::unique_ptr<StoredModel>> MakeDecoder(DecoderSpec spec, ModelFiles files);

}  // namespace tenon::models
