// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string_view>

// How text is cut into words before byte-level BPE, by the names of GGUF's tokenizer.ggml.pre.
namespace tenon::text {

// Matches of `pattern` are words, and so is what lies between them. PCRE2 syntax, except that \s
// and \S mean Unicode's White_Space.
struct SplitStage {
  const char* pattern;
  bool threes = false;  // matches are cut further: groups of three characters, from the right
};

struct PreTokenizer {
  std::string_view name;
  std::span<const SplitStage> stages;  // each cuts the words of the one before, as texts of its own
  bool ignore_merges = false;          // a word that is a token is that token, whatever the merges
  bool add_bos = false;                // what holds where a file does not say
};

// All that are known. Names and stages: llama.cpp's src/llama-vocab.cpp; where that rewrites a
// model's own expression for want of character classes, the model's own (tokenizer.json).
std::span<const PreTokenizer> PreTokenizers();

// Null where the name is not known.
const PreTokenizer* FindPreTokenizer(std::string_view name);

}  // namespace tenon::text
