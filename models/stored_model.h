// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "models/adapter_target.h"
#include "models/quantization.h"
#include "models/tokenizer_source.h"
#include "models/weights/config.h"
#include "models/weights/tensor_source.h"
#include "tenon/model.h"

namespace tenon::models {

// A model read from files: what tenon::Model promises, and what the files say of the tokens.
class StoredModel : public Model {
 public:
  virtual const TokenizerSource& Tokens() const = 0;

  // The matrix that an adapter's module names, without "base_model.model."; nothing where the model
  // has none that an adapter can change.
  virtual std::optional<AdapterTarget> FindAdapterTarget(std::string_view /*module*/) const {
    return std::nullopt;
  }
};

// The opened files of one model. A model takes it over whole, since its weights are views into it.
struct ModelFiles {
  std::unique_ptr<TensorSource> tensors;
  std::unique_ptr<ConfigFile> config;      // Hugging Face folders only
  const ScalarSource* settings = nullptr;  // the config, or the metadata inside `tensors`
  TokenizerSource tokens;
  ScaleBlock scale_block;  // of weights with factors beside them
  std::string name;        // for people
  bool gguf = false;
};

}  // namespace tenon::models
