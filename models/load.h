// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "models/stored_model.h"
#include "models/weights/gguf.h"
#include "tenon/result.h"

namespace tenon::models {

// Opens the model at `path`: a .gguf file, or a Hugging Face folder (config.json, and
// model.safetensors, or model.safetensors.index.json with its files, or one *.safetensors). Maps
// the weights and checks names and shapes; touches no weight but norms and biases that are not f32.
// Thread: any.
Result<std::unique_ptr<StoredModel>> LoadModel(const std::string& path);

// The same from a GGUF file that is open already.
Result<std::unique_ptr<StoredModel>> LoadModel(GgufFile file);

}  // namespace tenon::models
