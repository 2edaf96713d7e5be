// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <string>

#include "apps/engine/engine_client.h"
#include "text/tokenizer.h"

namespace tenon::apps::openai {

// Log-probabilities as chat tells them: an array of tokens with their bytes.
// As completions do: arrays of tokens, values, alternatives and offsets in characters.
enum class LogprobShape : uint8_t { kChat, kCompletion };

// One choice's tokens with their log-probabilities, told when their text is. One thread.
class LogprobText {
 public:
  // `tokenizer` outlives it. `offset`: characters before the first token (an echoed prompt).
  LogprobText(const text::Tokenizer& tokenizer, LogprobShape shape, int64_t offset);

  // A token whose text begins at byte `begin` of what the choice says.
  void Add(const GeneratedToken& token, size_t begin);

  // Drops tokens that begin at or behind `byte`: a stop string cut them off.
  void CutAt(size_t byte);

  // The JSON object of the tokens that begin before byte `shown` and have not been told; empty
  // where there are none.
  std::string Take(size_t shown);

 private:
  struct Entry {
    GeneratedToken token;
    size_t begin;
    int64_t offset;
  };
  std::string ChatJson(size_t count) const;
  std::string CompletionJson(size_t count) const;
  std::string TextOf(int32_t id) const;
  void AppendChatToken(int32_t id, float logprob, std::string* out) const;
  void AppendAlternatives(const GeneratedToken& token, std::string* out) const;

  const text::Tokenizer* tokenizer_;
  LogprobShape shape_;
  int64_t offset_;
  std::deque<Entry> waiting_;
};

}  // namespace tenon::apps::openai
