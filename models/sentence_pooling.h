// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "tenon/result.h"

namespace tenon::models {

// How one vector is made of a text's last hidden states. Reimers & Gurevych 2019, "Sentence-BERT".
enum class Pooling { kMean, kCls, kMax, kLastToken };

struct SentencePooling {
  Pooling pooling = Pooling::kMean;
  bool normalise = true;   // to length 1
  int32_t max_tokens = 0;  // special tokens included; texts are cut there; 0: not said
};

// What the model's files say:
//   a folder    sentence-transformers' modules.json, <pooling>/config.json and
//               sentence_bert_config.json (sbert.net); prompts are not applied
//   a .gguf     <architecture>.pooling_type as llama.cpp writes it
// Where they say nothing, an encoder gets the mean and a decoder its last token, normalised: what
// sentence-transformers and the usual embedding models of the two kinds do. kUnsupported for
// modules and modes that are not computed here, kInvalid for files that make no sense.
Result<SentencePooling> ReadSentencePooling(const std::string& model_path, bool encoder);

}  // namespace tenon::models
