// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "apps/loadgen/request.h"
#include "tenon/result.h"

namespace tenon::apps {

// What to ask of a server.
struct DatasetOptions {
  std::string name = "random";  // random, custom, prefix_repetition
  std::string path;             // of custom: JSON Lines
  int64_t prompts = 1000;
  int64_t input_len = 1024;  // tokens; of random
  int64_t output_len = 0;    // tokens asked for; 0: 128, and a line's own "output_tokens"
  int64_t prefix_len = 0;    // tokens that all random prompts begin with
  double range_ratio = 0;    // random lengths are from len × (1 - ratio) to len × (1 + ratio)
  int64_t repeat_prefix_len = 256, repeat_suffix_len = 256, repeat_prefixes = 10;
  uint64_t seed = 0;
};

// One prompt: tokens, a text, or a conversation.
struct Prompt {
  std::vector<int32_t> ids;
  std::string text;
  std::string messages;  // JSON
  int64_t output_tokens = 0;
};

// Draws prompts of `vocabulary`'s ids for random and prefix_repetition. The same for the same seed.
// kInvalid where lengths leave nothing to send. REQUIRES: !vocabulary.empty().
Result<std::vector<Prompt>> DrawPrompts(const DatasetOptions& options,
                                        const std::vector<int32_t>& vocabulary);

// Reads lines of {"prompt": "…" or [ids]} or {"messages": […]}, with "output_tokens" if they want
// their own; begins again where the file has fewer than options.prompts. kInvalid names the line.
Result<std::vector<Prompt>> ReadPrompts(const DatasetOptions& options);

// How every request of a run is asked.
struct BodyOptions {
  std::string model;
  bool chat = false;
  bool ignore_eos = false;
  double temperature = -1;   // below 0: the server's own
  std::string extra = "{}";  // a JSON object whose members are added
};

// kInvalid where a prompt is of a kind that the endpoint does not take.
Result<LoadRequest> MakeRequest(const Prompt& prompt, const BodyOptions& options);

}  // namespace tenon::apps
