// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "apps/openai/served_model.h"

// OpenAI's API as a function of JSON texts, whatever carries them: HTTP, SSE, WebSocket, jobs,
// files.
namespace tenon::apps::openai {

// As `{"error": {"message", "type", "param", "code"}}` tells it.
struct ApiError {
  int status = 400;  // of HTTP
  std::string message;
  std::string type = "invalid_request_error";
  std::string param;      // the field; empty: null
  std::string code;       // empty: null
  int retry_after_s = 0;  // with 429 and 503
  std::string Json() const;
};

enum class Endpoint : uint8_t { kChat, kCompletions, kEmbeddings, kTokenize, kDetokenize };

// Where a call's answer goes: either Fail once, or Whole once, or Chunk … End, or Chunk … Fail. One
// call at a time, from any thread; must not block. The sink may be gone before the answer:
// Call::Cancel first.
class ReplySink {
 public:
  virtual ~ReplySink() = default;
  virtual void Whole(std::string json) = 0;
  virtual void Chunk(std::string json) = 0;  // of a stream, in order
  virtual void End() = 0;                    // the stream is complete
  virtual void Fail(const ApiError& error) = 0;
};

// A request on its way. Thread: any.
class Call {
 public:
  virtual ~Call() = default;
  virtual void
  Cancel() = 0;  // ends its work in the engine before the next step; nothing is sent after
};

// Who asks.
struct Caller {
  std::string request_id;  // for logs and ids; made by the front end
  std::string tenant;  // what isolates the prefix cache: derived from the API key, never the key
};

// What the answer to a request came to, for metrics and logs: lengths and times, never text.
struct CallRecord {
  std::string request_id;
  std::string model;
  Endpoint endpoint = Endpoint::kChat;
  std::string finished;  // stop, length, abort, error
  int status = 200;
  int32_t choices = 1;
  int64_t prompt_tokens = 0;
  int64_t cached_tokens = 0;
  int64_t output_tokens = 0;
  double queue_s = 0;
  double first_token_s = 0;  // time to first token; 0: there was none
  double per_token_s = 0;    // mean of what followed
  double all_s = 0;
};

// Hears of calls. Thread: any; must not block.
class CallObserver {
 public:
  virtual ~CallObserver() = default;
  virtual void OnFirstToken(const std::string& model, double seconds) = 0;
  virtual void OnTokens(const std::string& model, int32_t tokens, double seconds_since_last) = 0;
  virtual void OnDone(const CallRecord& record) = 0;
  // A field that nothing here knows; told once a name.
  virtual void OnUnknownField(std::string_view field) = 0;
};

// How much may wait for an engine; beyond, calls fail with 429 and Retry-After.
struct AdmissionLimits {
  int64_t waiting_requests = 1024;
  int64_t waiting_tokens = int64_t{4} << 20;
};

// Caps on what one request may ask for; each a 400 that names the field.
struct RequestCaps {
  int32_t n = 64;
  int32_t stop = 16;
  int32_t stop_bytes = 1024;
  int32_t logit_bias = 1024;
  int32_t top_logprobs = 20;
  int32_t json_depth = 64;
  int32_t prompts = 2048;  // of one completions or embeddings call
};

class Api {
 public:
  virtual ~Api() = default;

  // Reads `body`, renders, tokenises and starts the work; the answer goes to `sink`, possibly
  // before this returns. Takes time in proportion to the body: call it from a thread that may. The
  // call is done when the sink got its last word; dropping it earlier does not cancel.
  virtual std::shared_ptr<Call> Start(Endpoint endpoint, std::string_view body,
                                      const Caller& caller, std::shared_ptr<ReplySink> sink) = 0;

  // The text of GET /v1/models.
  virtual std::string ModelsJson() const = 0;

  // Calls that have not ended, and of these how many wait for their first token.
  virtual int64_t Running() const = 0;
  virtual int64_t Waiting() const = 0;
};

// `models` and `observer` outlive it.
std::unique_ptr<Api> MakeApi(const ModelDirectory& models, CallObserver& observer,
                             const AdmissionLimits& admission, const RequestCaps& caps);

}  // namespace tenon::apps::openai
