// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "apps/openai/fields.h"
#include "tenon/decoding.h"

namespace tenon::apps::openai {

// What chat and completions share, as the request says it. The model's limits are not checked yet.
struct GenerationFields {
  std::string model;  // empty: not said
  std::string user;
  SamplingParams sampling;
  std::vector<TokenBias> bias;
  std::vector<std::string> stop;
  std::vector<int32_t> stop_token_ids;
  std::optional<int32_t> max_tokens;  // absent: what the context holds
  std::string max_tokens_field = "max_tokens";
  int32_t min_tokens = 0;
  int32_t n = 1;
  int32_t best_of = 1;    // at least n; more only where completions ask for it
  int32_t logprobs = -1;  // alternatives to tell with each token; -1: no log-probabilities
  int32_t priority = 0;
  std::string cache_salt;
  bool ignore_eos = false;
  bool seeded = false;  // the request said which seed
  bool stream = false;
  bool include_usage = false;
};

// A short text: the name of a model, user or salt; empty where absent.
std::string ReadName(Fields& fields, std::string_view name);

// Reads them; what is wrong is in `fields`. A request without a seed gets one at random. Log-
// probabilities are the endpoints' own.
GenerationFields ReadGeneration(Fields& fields, const RequestCaps& caps);

// `logprobs` and `top_logprobs` of chat; `logprobs`, `best_of`, `suffix` of completions.
void ReadChatOnly(Fields& fields, const RequestCaps& caps, GenerationFields* out);
void ReadCompletionOnly(Fields& fields, const RequestCaps& caps, GenerationFields* out);

// Token ids from 0 to vocabulary - 1, at most `most` of them; false, with an error in `fields`,
// otherwise. `name` is the field that `array` belongs to.
bool ReadIds(const JsonValue::Array& array, std::string_view name, int32_t vocabulary,
             Fields& fields, std::vector<int32_t>* out);

// Refuses ids outside the vocabulary in logit_bias and stop_token_ids.
void CheckIds(const GenerationFields& generation, int32_t vocabulary, Fields& fields);

}  // namespace tenon::apps::openai
