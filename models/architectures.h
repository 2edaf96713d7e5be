// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "models/stored_model.h"
#include "tenon/result.h"

namespace tenon::models {

// Makes the model of opened files, whose architecture is the one asked for.
using OpenModel = Result<std::unique_ptr<StoredModel>> (*)(ModelFiles files);

// One architecture: a file of its own here, and a line in the table in architectures.cc.
struct Architecture {
  const char* title;   // for people
  const char* gguf;    // general.architecture in GGUF files; null: not read from GGUF
  const char* config;  // model_type in a Hugging Face config.json; null: not read from there
  OpenModel open;
};

std::span<const Architecture> Architectures();

// The one of that name; null where there is none.
const Architecture* FindArchitecture(std::string_view name, bool gguf);

// "llama, gemma3": what can be read, for messages.
std::string ArchitectureNames(bool gguf);

Result<std::unique_ptr<StoredModel>> OpenLlama(ModelFiles files);
Result<std::unique_ptr<StoredModel>> OpenMixtral(ModelFiles files);
Result<std::unique_ptr<StoredModel>> OpenQwen2(ModelFiles files);
Result<std::unique_ptr<StoredModel>> OpenQwen2Moe(ModelFiles files);
Result<std::unique_ptr<StoredModel>> OpenQwen3(ModelFiles files);
Result<std::unique_ptr<StoredModel>> OpenQwen3Moe(ModelFiles files);
Result<std::unique_ptr<StoredModel>> OpenPhi3(ModelFiles files);
Result<std::unique_ptr<StoredModel>> OpenGemma2(ModelFiles files);
Result<std::unique_ptr<StoredModel>> OpenGemma3(ModelFiles files);
Result<std::unique_ptr<StoredModel>> OpenDeepseek(ModelFiles files);
Result<std::unique_ptr<StoredModel>> OpenGptOss(ModelFiles files);

}  // namespace tenon::models
