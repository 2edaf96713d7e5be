// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "models/stored_model.h"
#include "text/chat_template.h"
#include "text/tokenizer.h"

namespace tenon::apps {

// A model with what its file says of text.
struct OpenedModel {
  std::string path;
  std::unique_ptr<models::StoredModel> model;
  std::optional<text::Tokenizer> tokenizer;
  std::optional<text::ChatTemplate> chat_template;
  std::vector<int32_t> more_eos;  // ids that end a text besides the tokenizer's own
  std::string tokenizer_problem;  // why there is no tokenizer; empty if there is one
};

// Where `name` is: a pulled model's name, a .gguf file or a Hugging Face folder. kNotFound says how
// to get it.
Result<std::string> FindModel(const std::string& name);

// Opens the weights and the tokens' texts of a model.
Result<std::unique_ptr<OpenedModel>> OpenModel(const std::string& name);

// The tokens' texts alone, for `tenon tokenize`.
Result<text::Tokenizer> OpenTokenizer(const std::string& name);

}  // namespace tenon::apps
