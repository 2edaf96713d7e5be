// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tenon/result.h"
#include "text/tokenizer.h"

// Hugging Face's tokenizer.json and what lies beside it. text/tokenizer_kinds.h lists what can be
// read; anything else is refused with the file, the key and what is known. "truncation" and
// "padding" are settings of batches, not of the tokens: they are left to the caller.
namespace tenon::text {

// What else a model's folder says of tokens.
struct TokenizerFiles {
  std::string tokenizer_json;         // path
  std::string tokenizer_config_json;  // path; empty: none
  std::string chat_template_jinja;    // path; empty: none. Goes before tokenizer_config.json's
  // Of config.json, by GGUF's names; -1: not said, and tokenizer_config.json's count.
  int32_t bos = -1, eos = -1, eot = -1, unk = -1, pad = -1;
  std::vector<int32_t> more_eos;
};

// Reads the files. vocabulary().chat_template is the chat template, empty where there is none.
Result<Tokenizer> OpenTokenizerJson(const TokenizerFiles& files);

// The same from text in memory; `name` stands for the file in messages, and `config` is empty or a
// tokenizer_config.json. The paths in `files` are not used.
Result<Tokenizer> ParseTokenizerJson(std::string_view json, std::string_view config,
                                     const std::string& name, const TokenizerFiles& files = {});

}  // namespace tenon::text
