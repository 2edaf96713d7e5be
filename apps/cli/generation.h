// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "apps/assemble/session.h"
#include "apps/engine/engine_client.h"

namespace tenon::apps {

struct GenerationOptions {
  std::optional<int32_t> max_tokens;  // unset: kDefaultMaxTokens, or less where the context is full
  std::optional<uint64_t> seed;       // unset: random
  SamplingParams sampling;
  std::vector<std::string> stop;
  bool greedy = false;
  bool ignore_eos = false;
  int32_t logprobs = -1;
  int32_t adapter = -1;  // core::Request::adapter
};
inline constexpr int32_t kDefaultMaxTokens = 256;

struct Generation {
  std::vector<int32_t> prompt_ids;
  std::vector<GeneratedToken> tokens;
  std::string text;
  core::FinishReason finish = core::FinishReason::kNone;
  double prefill_ms = 0;  // to the first token
  double decode_ms = 0;   // from the first token to the last
};

// The ids of a prompt: through the chat template as the user's turn, or as it is with `raw`.
Result<std::vector<int32_t>> EncodePrompt(Session& session, const std::string& prompt, bool raw);

// The ids of a conversation up to the assistant's turn.
Result<std::vector<int32_t>> EncodeChat(Session& session,
                                        const std::vector<text::ChatMessage>& history);

// Generates to the end, or until `*stop`. `show` gets the text piece by piece; false from it ends
// the generation too.
Result<Generation> Generate(Session& session, std::vector<int32_t> prompt,
                            const GenerationOptions& options, const volatile bool* stop,
                            const std::function<bool(const std::string&)>& show);

}  // namespace tenon::apps
