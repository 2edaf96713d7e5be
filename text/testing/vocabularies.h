// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "text/vocabulary.h"

// Vocabularies and texts for the tests of this room.
namespace tenon::text::testing {

// A letter of GPT-2's alphabet for every byte, made anew here rather than taken from what is
// tested.
std::string Gpt2Letters(std::string_view bytes);

// "gpt2": ids 0 to 255 are the bytes; then the unions of `merges` in order; then <|end|> and
// <|im_end|> (control), and "<tag>" (user-defined).
Vocabulary ByteVocabulary(const std::vector<std::pair<std::string, std::string>>& merges);

// "llama": <unk>, <s>, </s>; the bytes from id 3; "\n\n" and "  " (user-defined); then `pieces`,
// the first with the best score. bos is <s>, eos </s>.
Vocabulary PieceVocabulary(const std::vector<std::string>& pieces);

// A vocabulary cut from a real model's, with the ids it has there, and reference cases.
struct Extract {
  struct Case {
    std::string text;
    std::vector<int32_t> ids;
    std::string decoded;
  };
  Vocabulary vocabulary;
  std::vector<int32_t> original;  // [vocab_size]: the id in the model
  std::vector<Case> cases;
};

// tests/data/text/<name>.json
Extract ReadExtract(const std::string& name);

// The cases of ../shared/reference/<name>.json; empty where that folder is not there.
std::vector<Extract::Case> ReadSharedCases(const std::string& name);

// A whole file; empty where there is none.
std::string ReadFile(const std::string& path);

// Numbers that are the same everywhere (splitmix64).
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t Next();
  size_t Below(size_t bound) { return static_cast<size_t>(Next() % bound); }
  std::string Text(size_t bytes, std::string_view letters);

 private:
  uint64_t state_;
};

// Runs `call` on a thread with a stack of 256 KiB (more under a sanitizer, whose frames are
// larger).
void OnSmallStack(void (*call)(void*), void* argument);

}  // namespace tenon::text::testing
