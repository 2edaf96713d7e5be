// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/engine/request.h"
#include "tenon/result.h"

// How everything outside an engine's process or thread speaks to it: ids in, ids out. Texts are the
// front end's.
namespace tenon::apps {

struct GenerateRequest {
  std::string id;               // for logs
  std::vector<int32_t> prompt;  // at least one token
  SamplingParams sampling;      // its logit_bias is ignored in favour of `bias`
  std::vector<TokenBias> bias;
  std::vector<int32_t> stop_tokens;  // end a choice, and are reported as its last token
  int32_t max_tokens = 128;
  int32_t min_tokens = 0;   // stop tokens are forbidden before
  int32_t logprobs = -1;    // top choices to report with each token; -1: no log-probabilities
  int32_t n = 1;            // choices; choice i samples with seed + i
  int32_t priority = 0;     // higher goes first
  std::string adapter;      // of EngineFacts::adapters; empty: none
  uint64_t cache_salt = 0;  // KV blocks are shared only among requests of one salt and adapter
  std::string user_text;    // of the last turn of a user, for the pipeline's front rules
  // Whose it is: a user, else the request's id. Keeps a share of traffic on one of two engines; no
  // engine is told.
  std::string sticky;
};

struct GeneratedToken {
  int32_t id = -1;
  float logprob = 0;                    // where logprobs were asked for
  std::vector<core::TokenLogprob> top;  // so many as `logprobs` said
};

// News of one choice from one step.
struct GenerateEvent {
  int32_t choice = 0;
  std::vector<GeneratedToken> tokens;
  core::FinishReason finish = core::FinishReason::kNone;
  // With kError: kInvalid and kUnsupported are the request's fault, kIo that the engine was lost or
  // none lives (another try may work), all else is the engine's.
  Status status = Status::kOk;
  std::string error;          // with kError: what the user reads
  int32_t cached_tokens = 0;  // of the prompt, taken from the prefix cache; told in the first event
  int64_t queued_us = 0;      // from its arrival to its first step; told in the first event
  // Where the pipeline has rules on its output: what is shown instead of the tokens' own text.
  std::optional<std::string> text;
  bool blocked = false;  // with kStop: a rule ended it
};

// In order, one at a time, the last of each choice with `finish`; none behind the last choice's.
using OnGenerateEvent = std::function<void(GenerateEvent event)>;
using OnEmbeddings = std::function<void(Result<std::vector<std::vector<float>>> embeddings)>;

// Whether a request has ended with `event`: what ends its last choice, and an error before anything
// began. `began` and `choices_left` are the request's.
inline bool EndsRequest(const GenerateEvent& event, bool* began, int32_t* choices_left) {
  if (event.finish == core::FinishReason::kError && !*began) return true;
  *began = true;
  return event.finish != core::FinishReason::kNone && --*choices_left <= 0;
}

// What an engine is, fixed while it lives.
struct EngineFacts {
  std::string pipeline;               // the file, as given
  std::string model;                  // as the pipeline names it
  std::string model_path;             // where its files are: apps::OpenTokenizer takes it
  std::vector<std::string> adapters;  // names that a request may choose
  bool generates = true;              // else it embeds
  int32_t vocabulary = 0;
  int32_t max_context = 0;  // prompt + output, tokens
  int32_t max_sequences = 0;
  int32_t block_tokens = 0;  // KV slots of a block
  int32_t total_blocks = 0;
  int32_t workers = 1;               // that the pipeline's `serve:` asks for
  int32_t embedding_columns = 0;     // where it embeds
  int32_t embedding_max_tokens = 0;  // most tokens of a text
  int32_t embedding_cut_tokens = 0;  // longer texts are cut to these; 0: refused
};

// Tokens that a request's prompt and output may have together: what a sequence may hold, and no
// more than the pool.
inline int64_t ContextOf(const EngineFacts& facts) {
  const int64_t pool = int64_t{facts.total_blocks} * facts.block_tokens;
  return pool > 0 ? std::min<int64_t>(facts.max_context, pool) : facts.max_context;
}

struct PluginTime {
  std::string family;
  std::string plugin;
  double seconds = 0;  // in its ops, since the engine began
};

// What changes while an engine lives. Counters only grow.
struct EngineState {
  bool ready = false;
  std::string why_not;  // loading, lost, stuck, draining
  int32_t running = 0;  // sequences
  int32_t waiting = 0;
  int32_t free_blocks = 0;
  int64_t steps = 0;
  double step_age_s = 0;  // since the last step ended; 0 where nothing waits
  int64_t prompt_tokens = 0;
  int64_t output_tokens = 0;
  int64_t preemptions = 0;
  int64_t prefix_queries = 0;  // prompt tokens looked up
  int64_t prefix_hits = 0;     // of these, found
  int64_t draft_tokens = 0;
  int64_t accepted_tokens = 0;
  std::vector<PluginTime> plugins;
};

// One engine, or several that are alike. Thread: any.
class EngineClient {
 public:
  virtual ~EngineClient() = default;

  virtual EngineFacts Facts() const = 0;
  virtual EngineState State() const = 0;

  // Starts a request; its number, for Cancel. Events come from a thread of the client's, possibly
  // before this returns, and must not block it. What is refused comes as an event of choice 0 with
  // kError, and nothing else.
  virtual uint64_t Generate(GenerateRequest request, OnGenerateEvent on_event) = 0;

  // Ends a request, or one choice of it, before the next step; its events end with kCancelled.
  // Unknown and ended ones are ignored.
  virtual void Cancel(uint64_t request, int32_t choice = -1) = 0;

  // One vector of EngineFacts::embedding_columns a text. REQUIRES: !Facts().generates.
  virtual void Embed(std::vector<std::vector<int32_t>> texts, OnEmbeddings done) = 0;
};

}  // namespace tenon::apps
