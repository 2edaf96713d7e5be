// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "apps/openai/api.h"

namespace tenon::apps::batch {

// A request, as a line of OpenAI's batch files:
// {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": {…}}
struct BatchLine {
  int64_t number = 0;  // in its file, from 1
  std::string custom_id;
  openai::Endpoint endpoint = openai::Endpoint::kChat;
  std::string body;     // JSON
  std::string problem;  // why it is none; empty: it is one
};

// Reads a line; `custom_id` also where the rest is wrong.
BatchLine ReadLine(std::string_view text, int64_t number);

// Lines of the output:
// {"id": …, "custom_id": …, "response": {"status_code", "request_id", "body"}, "error": null}
// A refused request is a response with its status; a line that is no request has `error` alone.
// Each ends with "\n". `body`: JSON.
std::string AnswerOf(const BatchLine& line, int status, std::string_view body);
std::string AnswerOfProblem(const BatchLine& line);

// What an output line answers; `ok` is false where it is none.
struct BatchAnswer {
  bool ok = false;
  std::string custom_id;  // empty: of a line without one, which `number` tells
  int64_t number = 0;
  bool succeeded = false;
};
BatchAnswer ReadAnswer(std::string_view text);

// What every line of the output begins with.
inline constexpr std::string_view kAnswerBegin = "{\"id\":\"batch_req_";

}  // namespace tenon::apps::batch
