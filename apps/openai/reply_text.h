// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tenon::apps::openai {

struct Usage {
  int64_t prompt_tokens = 0;
  int64_t completion_tokens = 0;
  int64_t cached_tokens = 0;  // of the prompt's
};

struct FinishedChoice {
  std::string text;
  std::string logprobs;  // JSON; empty: null
  std::string_view finish_reason;
};

// The JSON texts of one request's answer: chat.completion, chat.completion.chunk, text_completion.
// Immutable but for its buffers; one thread at a time.
class ReplyText {
 public:
  struct Head {
    bool chat = true;
    std::string id;
    int64_t created = 0;  // Unix time, seconds
    std::string model;
    bool include_usage = false;  // a chunk of it ends the stream; the others say null
  };
  explicit ReplyText(const Head& head);

  // The first chunk of a choice. Chat: the role. Completions: the echoed prompt.
  std::string Opening(int32_t choice, std::string_view echo) const;

  // `logprobs`: JSON, or empty for null. `finish_reason`: empty for null.
  std::string Delta(int32_t choice, std::string_view text, std::string_view logprobs,
                    std::string_view finish_reason) const;
  std::string UsageChunk(const Usage& usage) const;
  std::string Whole(std::span<const FinishedChoice> choices, const Usage& usage) const;

 private:
  bool chat_;
  std::string whole_;  // up to the choices
  std::string chunk_;
  std::string last_;  // of a chunk, behind its choices
};

// `{"prompt_tokens":…}`
std::string UsageJson(const Usage& usage);

}  // namespace tenon::apps::openai
