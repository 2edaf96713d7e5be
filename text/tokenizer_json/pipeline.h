// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include "text/encoder.h"
#include "text/tokenizer_json/added_tokens.h"
#include "text/tokenizer_json/model.h"
#include "text/tokenizer_json/normalizers.h"
#include "text/tokenizer_json/pre_tokenizers.h"

namespace tenon::text::tokenizer_json {

// The steps from text to ids, in the order of their use. Null: that step does nothing.
struct PipelineSteps {
  std::vector<AddedToken> added;
  std::vector<std::string> normal_texts;  // of `added`, as they read where normalised
  std::unique_ptr<Normalizer> normalizer;
  std::unique_ptr<PreTokenizer> pre_tokenizer;
  std::unique_ptr<Model> model;  // never null
};

// Added tokens are cut out of the text, the rest is normalised, the added tokens that are wanted
// there are cut out of that, and the pieces of what remains go through the model. What is not UTF-8
// is read as U+FFFD.
std::unique_ptr<const TextEncoder> MakePipeline(PipelineSteps steps);

}  // namespace tenon::text::tokenizer_json
