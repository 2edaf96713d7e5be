// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tenon/result.h"

namespace tenon::models {

class ConfigFile;
class GgufMetadata;

// What a model's files say of its tokens, as they say it; nothing is checked against anything. The
// names follow GGUF's tokenizer.ggml.* keys. Views live as long as the model.
struct TokenizerSource {
  std::string_view kind;                 // "gpt2", "llama", …; empty: the file holds no tokenizer
  std::string_view pre;                  // how text is cut into words first: "smollm", "default"
  std::vector<std::string_view> tokens;  // [vocabulary], the index is the id
  std::vector<float> scores;             // [vocabulary], or empty
  std::vector<int32_t> types;            // [vocabulary], GGUF's token_type numbers, or empty
  std::vector<std::string_view> merges;  // "left right", best first, or empty
  int32_t bos = -1;                      // -1: not said
  int32_t eos = -1;
  int32_t eot = -1;
  int32_t unk = -1;
  int32_t pad = -1;
  std::vector<int32_t> more_eos;  // further ids that end a text (a list in a config.json)
  bool add_bos = false;           // where not said: true for kind "llama"
  bool add_eos = false;
  bool add_space_prefix = false;      // where not said: true for kind "llama"
  std::string_view chat_template;     // Jinja; empty: none
  std::string tokenizer_json;         // path of a Hugging Face tokenizer.json; empty: none
  std::string tokenizer_config_json;  // likewise
  std::string chat_template_jinja;    // path of a template beside them; empty: none
  std::string tokenizer_model;        // path of SentencePiece's own tokenizer.model; empty: none
};

// Reads tokenizer.*. Fails where a key is there but of another type.
Result<TokenizerSource> ReadTokens(const GgufMetadata& metadata);

// Reads the special ids of config.json, the ends of generation_config.json and the paths of the
// tokenizer's own files in `folder`.
Result<TokenizerSource> ReadTokens(const ConfigFile& config, const std::string& folder);

}  // namespace tenon::models
