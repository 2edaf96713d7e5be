// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <string>

#include "tenon/result.h"
#include "text/tokenizer_json/added_tokens.h"
#include "text/tokenizer_json/json.h"

namespace tenon::text::tokenizer_json {

// What a tokenizer_config.json says of how texts are read and written; the rest of that file tells
// Python which class to use, and is not looked at.
struct TokenizerConfig {
  std::string chat_template;       // Jinja; empty: none. Of several the one named "default"
  std::string bos, eos, unk, pad;  // texts of tokens; empty: not said
  std::optional<bool> add_bos, add_eos;
  bool clean_up_spaces = false;
  std::vector<AddedToken> added;  // added_tokens_decoder
};

// kInvalid where one of these is there but of another shape.
Result<TokenizerConfig> ReadTokenizerConfig(const Node& node);

}  // namespace tenon::text::tokenizer_json
